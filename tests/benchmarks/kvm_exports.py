"""A guest with a disk of 2 GiB out of a real libvirtd through the service, beside `virsh vol-download`.

curl and virsh both throw away what they read. The files are in the page cache.
"""

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import libvirt

from benchmarks.comparisons import Comparison, take_turns
from benchmarks.images import download
from benchmarks.kvm_service import KvmService, kvm_service
from benchmarks.requirements import path_of
from benchmarks.scale import Scale
from benchmarks.transfers import rates
from kvm.counterparts.libvirtd import Libvirtd
from kvm.domains import file_disk, foreign

#: How much of the raw disk has data; the rest is a hole.
_SHARE_OF_DATA = 16
#: Only the service computes digests, on the two processors that libvirtd and the clients use, too.
_GOALS = {"qcow2": 0.6, "raw": 0.8}


def run(scale: Scale) -> Iterator[Comparison]:
    """Compare exports of a full qcow2 disk and of a sparse raw one, and look at the worker's memory."""
    with kvm_service() as kvm:
        yield from _compare(kvm, scale)


def _compare(kvm: KvmService, scale: Scale) -> Iterator[Comparison]:
    daemon, service = kvm.daemon, kvm.service
    size_bytes = scale.image_bytes // 2
    with closing(libvirt.open(daemon.uri)) as connection, ExitStack() as stack:
        paths = {}
        for image_format, data_bytes in (("qcow2", size_bytes), ("raw", size_bytes // _SHARE_OF_DATA)):
            image = daemon.pool_folder / f"disk.{image_format}"
            _make_image(image, image_format, size_bytes, data_bytes)
            disk = file_disk(str(image), "vda", "virtio").replace("type='qcow2'", f"type='{image_format}'")
            domain = stack.enter_context(foreign(connection, disk))
            paths[image_format] = f"/kvm/localhost/guests/{domain.UUIDString()}/export"
        connection.storagePoolLookupByName(daemon.pool).refresh()
        for image_format, what in (("qcow2", "full"), ("raw", f"1/{_SHARE_OF_DATA} full")):
            exports = take_turns(
                scale.rounds,
                {
                    "ours": partial(download, service.port, paths[image_format]),
                    "virsh": partial(_virsh, daemon, f"disk.{image_format}", size_bytes),
                },
            )
            yield rates(
                "kvm-exports",
                f"export of {size_bytes / 1024**3:g} GiB, {image_format}, {what}",
                "virsh vol-download",
                exports,
                least=_GOALS[image_format],
            )
        yield kvm.worker.memory("kvm-exports", "exports", most_mib=32)


def _make_image(path: Path, image_format: str, size_bytes: int, data_bytes: int) -> None:
    create = ["qemu-img", "create", "-q", "-f", image_format, str(path), str(size_bytes)]
    subprocess.run(create, check=True)
    write = ["qemu-io", "-f", image_format]
    for start in range(0, data_bytes, 64 * 1024**2):
        length = min(64 * 1024**2, data_bytes - start)
        write += ["-c", f"write -P {start // 64 // 1024**2 % 255 + 1} {start} {length}"]
    subprocess.run([*write, str(path)], check=True, capture_output=True)


def _virsh(daemon: Libvirtd, name: str, size_bytes: int) -> float:
    """Return MB/s, with virsh's start, as that of curl is in ours."""
    command = [path_of("virsh"), "--quiet", "--connect", daemon.uri, "vol-download"]
    started = time.perf_counter()
    subprocess.run([*command, "--pool", daemon.pool, name, "/dev/null"], check=True)
    return size_bytes / 1e6 / (time.perf_counter() - started)
