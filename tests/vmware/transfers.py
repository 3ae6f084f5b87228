"""Disks and archives of transfers, and what they leave behind."""

import io
import os
import re
import subprocess
import tarfile
import zlib
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from pyVmomi import vim

from simplestack import MIB, Export
from simplestack.appliances import Appliance, ApplianceReader, ArchiveReader, DiskFile
from simulators.vsphere.disk_chains import disks_of
from simulators.vsphere.vmdk import GRAIN_BYTES
from support.vsphere import Host


def random_disk(size_bytes: int = 4 * MIB) -> bytes:
    """Return a disk with something at its begin, its middle and its end."""
    disk = bytearray(size_bytes)
    for at in (0, size_bytes // 2, size_bytes - 70_000):
        disk[at : at + 70_000] = os.urandom(70_000)
    return bytes(disk)


def fill(host: Host, path: str, disk: bytes) -> None:
    """Let a disk of the simulator have some content, and its size."""
    simulator = host.simulator
    with simulator.database.lock:
        stores = [each.id for each in simulator.database.all(vim.Datastore)]
        (file,) = filter(None, (simulator.files.find(store, path) for store in stores))
        file.capacity_bytes = len(disk)
        for vm in simulator.database.all(vim.VirtualMachine):
            for device in disks_of(vm["config"]):
                if device.backing.fileName.endswith(f"] {path}"):
                    device.capacityInBytes, device.capacityInKB = len(disk), len(disk) // 1024
        pieces = {at: disk[at : at + GRAIN_BYTES] for at in range(0, len(disk), GRAIN_BYTES)}
        file.grains = {at // GRAIN_BYTES: zlib.compress(each) for at, each in pieces.items() if any(each)}


class Unpacked(NamedTuple):
    """An export, unpacked and checked."""

    appliance: Appliance
    descriptor: bytes
    #: By the name of the file.
    disks: dict[str, bytes]
    names: list[str]


def received(export: Export) -> bytes:
    """Return an export's bytes, as core gets them."""
    with closing(export.chunks):  # type: ignore[type-var]  # core closes what can be
        return b"".join(export.chunks)


def unpacked(archive: bytes) -> Unpacked:
    """Unpack an export, and compare it with its manifest."""
    reader = ApplianceReader(ArchiveReader(io.BytesIO(archive)))
    disks = reader.read_disks(lambda _disk, file: _whole(file))
    assert set(reader.ignored) <= {"guest.nvram"}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return Unpacked(reader.appliance, reader.document, disks, tar.getnames())


def _whole(file: DiskFile) -> bytes:
    pieces = []
    while piece := file.read(MIB):
        pieces.append(piece)
    return b"".join(pieces)


def raw_content(folder: Path, vmdk: bytes) -> bytes:
    """Return what a guest would read from a disk, as QEMU has it."""
    source, target = folder / "source.vmdk", folder / "target.raw"
    source.write_bytes(vmdk)
    subprocess.run(
        ["qemu-img", "convert", "-f", "vmdk", "-O", "raw", str(source), str(target)],
        check=True,
        capture_output=True,
    )
    return target.read_bytes()


def stream_optimized(folder: Path, raw: bytes, subformat: str = "streamOptimized") -> bytes:
    """Return a disk as a VMDK, as QEMU makes it."""
    source, target = folder / "disk.raw", folder / "disk.vmdk"
    source.write_bytes(raw)
    subprocess.run(
        ["qemu-img", "convert", "-f", "raw", "-O", "vmdk", "-o", f"subformat={subformat}", source, target],
        check=True,
        capture_output=True,
    )
    return target.read_bytes()


class Everything(NamedTuple):
    """What a host has: a transfer that fails leaves it as it was."""

    vms: Sequence[str]
    files: Sequence[str]
    leases: Sequence[Any]

    @classmethod
    def of(cls, host: Host) -> "Everything":
        """Return what is there now."""
        simulator = host.simulator
        with simulator.database.lock:
            stores = [each.id for each in simulator.database.all(vim.Datastore)]
            return cls(
                sorted(each["name"] for each in simulator.database.all(vim.VirtualMachine)),
                sorted(f"{store}/{path}" for store in stores for path in simulator.files.all(store)),
                simulator.leases.held(),
            )


def no_secret(text: bytes, *secrets: str) -> bool:
    """Return whether none of the secrets is in a text."""
    return not any(re.search(re.escape(each.encode()), text) for each in secrets)
