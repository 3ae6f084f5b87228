"""A guest's image of 4 GiB out of and into the mock: beside nginx sending a file, beside a bare socket.

The client is curl, for all of them. The mock makes the bytes that it sends and holds each byte that comes
against what it should be, and keeps none; nginx reads its file from the page cache.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.comparisons import Comparison, take_turns
from benchmarks.curl import POST_IMAGE, curl
from benchmarks.scale import Scale
from benchmarks.services import nginx, raw_sink
from benchmarks.transfers import Worker, rates
from simplestack.mock.store.archive import write_archive
from simplestack.mock.store.records import Content, DiskRecord, GuestRecord, Hardware
from support.service import Service, running_service, token

#: One worker, so that it is known whose memory to look at.
_CONFIG = "[server]\nworkers = 1\n"


def run(scale: Scale) -> Iterator[Comparison]:
    """Compare exports and imports, and look at the worker's memory."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        image = folder / "image"
        _make_image(image, scale.image_bytes)
        service = stack.enter_context(running_service(folder / "service", _CONFIG))
        file_server = stack.enter_context(nginx(folder))
        sink = stack.enter_context(raw_sink())
        worker = Worker(service)
        _, guest = _import(service, image)
        size = f"{scale.image_bytes / 1024**3:g} GiB"
        exports = take_turns(
            scale.rounds,
            {
                "ours": lambda: download(service.port, f"{guest}/export"),
                "nginx": lambda: download(file_server, "/image"),
            },
        )
        after_exports = worker.memory("images", "exports", most_mib=24)
        yield rates("images", f"export of {size}", "nginx, sendfile", exports, least=0.85)
        imports = take_turns(
            scale.rounds,
            {
                "ours": lambda: _import_and_delete(service, image),
                "sink": lambda: _upload(sink, "/", image)[0],
            },
        )
        after_imports = worker.memory("images", "imports", most_mib=24)
        yield rates("images", f"import of {size}", "a raw socket sink", imports, least=0.75)
        yield after_exports
        yield after_imports


def _make_image(path: Path, size: int) -> None:
    """Write the export of a guest with one disk."""
    content = Content("benchmark", size)
    disk = DiskRecord(id="", name="disk", device=0, size_bytes=size, storage="", content=content)
    hardware = Hardware(cpus=1, memory_mib=512, paravirtualized=True, disks=(disk,))
    guest = GuestRecord(id="", name="benchmark", hardware=hardware)
    with path.open("wb") as file:
        for chunk in write_archive(guest).chunks:
            file.write(chunk)


def _import(service: Service, image: Path) -> tuple[float, str]:
    """Make a guest; return MB/s, and the guest's path."""
    return _upload(service.port, "/mock/demo/guests", image)


def _import_and_delete(service: Service, image: Path) -> float:
    rate, path = _import(service, image)
    answer = service.delete(path)
    if answer.status != 204:
        raise SystemExit(f"the imported guest could not be deleted: {answer}")
    return rate


def download(port: int, path: str) -> float:
    """Return MB/s of what curl downloads from a service."""
    rate, _ = _curl(port, path, "speed_download")
    return rate


def _upload(port: int, path: str, image: Path) -> tuple[float, str]:
    """Return MB/s, and where the answer says that the new thing is."""
    return _curl(port, path, "speed_upload", "--upload-file", str(image), *POST_IMAGE)


def _curl(port: int, path: str, figure: str, *options: str) -> tuple[float, str]:
    header = f"X-Simplestack-Hypervisor-Token: {token()}"
    return curl(f"http://127.0.0.1:{port}{path}", figure, "--header", header, *options)
