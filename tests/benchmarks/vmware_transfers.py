"""A guest's disk of 4 GiB out of and into a simulated vCenter through the service, beside curl to a lease.

Both speak TLS to the simulator, which keeps the disks in memory, compressed, and checks what it gets.
The service computes digests, too.
"""

import hashlib
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from benchmarks.comparisons import Comparison, take_turns
from benchmarks.curl import POST_IMAGE, curl
from benchmarks.scale import Scale
from benchmarks.transfers import Worker, rates
from benchmarks.vsphere import (
    DISK_NAME,
    USER,
    Host,
    begin_export,
    begin_import,
    descriptor,
    make_disk,
    vsphere,
)
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from support.service import Service, running_service, token
from support.vsphere import PASSWORD

_BESIDE = "curl straight to the lease"
_CONFIG = "[server]\nworkers = 1\n"
_TOKEN = ("X-Simplestack-Hypervisor-Token", token(USER, PASSWORD))
#: The certificate of leases is known by its thumbprint alone.
_DIRECTLY = ("--insecure",)


@dataclass(frozen=True)
class _Bench:
    """What the transfers need."""

    service: Service
    session: VmwareSession
    base: str
    folder: Path
    size_bytes: int

    @property
    def disk(self) -> Path:
        """The disk, as VMDK."""
        return self.folder / DISK_NAME

    def load(self, image: Path, query: str = "") -> tuple[float, str]:
        """Import an image; return MB/s, and the guest's ID."""
        upload = ("--header", ": ".join(_TOKEN), *POST_IMAGE, "--upload-file", str(image))
        rate, location = curl(f"{self.base}/guests{query}", "speed_upload", *upload)
        return rate, location.rpartition("/")[2]

    def load_and_delete(self, image: Path, query: str = "") -> float:
        """Import an image, and return MB/s."""
        rate, guest_id = self.load(image, query)
        self.session.tasks.run(self._vm(guest_id).Destroy_Task)
        return rate

    def load_directly(self) -> float:
        """Send the disk to a lease, and return MB/s."""
        lease = begin_import(self.session, self.size_bytes)
        (file,) = lease.files
        upload = (*_DIRECTLY, *POST_IMAGE, "--upload-file", str(self.disk))
        rate, _ = curl(file.url, "speed_upload", *upload)
        lease.complete()
        if lease.vm is None:
            raise AssertionError("leases of imports have a VM")
        self.session.tasks.run(self.session.api.object(lease.vm).Destroy_Task)
        return rate

    def fetch(self, guest_id: str) -> float:
        """Export a guest, and return MB/s."""
        url = f"{self.base}/guests/{guest_id}/export"
        return curl(url, "speed_download", "--header", ": ".join(_TOKEN))[0]

    def fetch_directly(self, guest_id: str) -> float:
        """Fetch the disk of a guest from a lease, and return MB/s."""
        lease = begin_export(self.session, guest_id)
        url = next(file.url for file in lease.files if file.is_disk)
        rate, _ = curl(url, "speed_download", *_DIRECTLY)
        lease.complete()
        return rate

    def _vm(self, guest_id: str) -> Any:
        index = self.session.api.content.searchIndex
        if index is None:
            raise AssertionError("the simulator has one")
        return index.FindByUuid(None, guest_id, True, True)


def run_exports(scale: Scale) -> Iterator[Comparison]:
    """Compare exports, and look at the worker's memory."""
    with ExitStack() as stack:
        bench = _bench(stack, scale)
        _, guest_id = bench.load(bench.disk, "?name=exported&memory=64")
        ways = {"ours": lambda: bench.fetch(guest_id), "direct": lambda: bench.fetch_directly(guest_id)}
        yield from _compare(bench, scale, "exports", [("export", ways)], 0.8)


def run_imports(scale: Scale) -> Iterator[Comparison]:
    """Compare imports of a bare disk and of an appliance, and look at the worker's memory."""
    with ExitStack() as stack:
        bench = _bench(stack, scale)
        appliance = bench.folder / "appliance.ova"
        _make_appliance(appliance, bench.disk, bench.size_bytes)
        images = (("VMDK", bench.disk, "?name=imported&memory=64"), ("OVA with a manifest", appliance, ""))
        ways: list[tuple[str, dict[str, Callable[[], float]]]] = [
            (
                f"import as {what}",
                {
                    "ours": lambda image=image, query=query: bench.load_and_delete(image, query),  # type: ignore[misc]  # mypy does not know the types of defaults
                    "direct": bench.load_directly,
                },
            )
            for what, image, query in images
        ]
        yield from _compare(bench, scale, "imports", ways, 0.7)


def _bench(stack: ExitStack, scale: Scale) -> _Bench:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    host: Host = stack.enter_context(vsphere(folder / "tls"))
    service = stack.enter_context(running_service(folder / "service", host.toml + _CONFIG))
    session = stack.enter_context(host.session())
    base = f"http://127.0.0.1:{service.port}/vmware/{host.place}"
    bench = _Bench(service, session, base, folder, scale.image_bytes)
    make_disk(bench.disk, scale.image_bytes)
    service.get(f"/vmware/{host.place}", headers=dict([_TOKEN]))
    return bench


def _compare(
    bench: _Bench,
    scale: Scale,
    what: str,
    ways: list[tuple[str, dict[str, Callable[[], float]]]],
    least: float,
) -> Iterator[Comparison]:
    worker = Worker(bench.service)
    worker.begin_anew()
    for title, pair in ways:
        found = take_turns(scale.rounds, pair)
        size = f"{scale.image_bytes / 1024**3:g} GiB"
        yield rates(f"vmware-{what}", f"{title} of {size}", _BESIDE, found, least=least)
    yield worker.memory(f"vmware-{what}", what, most_mib=24)


def _make_appliance(path: Path, disk: Path, size_bytes: int) -> None:
    with disk.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in (
            ("guest.ovf", descriptor(size_bytes)),
            ("guest.mf", f"SHA256({DISK_NAME})= {digest}\n".encode()),
        ):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, BytesIO(content))
        archive.add(disk, DISK_NAME)
