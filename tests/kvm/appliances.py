"""Appliances as clients upload them: archives of a descriptor, disks and a manifest."""

import hashlib
import io
import os
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simplestack import MIB, Disk, Guest
from simplestack.appliances import Appliance, ApplianceDisk, ImageFormat, write_descriptor
from simplestack_kvm.hooks.disks import disk_list
from simplestack_kvm.libvirtd.connection.session import KvmSession

#: The raw data of two disks.
FIRST = (b"the first disk".ljust(MIB, b".") + bytes(MIB)) * 2
SECOND = bytes(MIB) + os.urandom(MIB)


def image(folder: Path, raw: bytes, image_format: str = "qcow2", options: str = "") -> bytes:
    """Make an image of raw data."""
    source, target = folder / "source.raw", folder / "target"
    source.write_bytes(raw)
    more = ["-o", options] if options else []
    command = ["qemu-img", "convert", "-f", "raw", "-O", image_format, *more, str(source), str(target)]
    subprocess.run(command, check=True)
    return target.read_bytes()


def stream_optimized(folder: Path, raw: bytes) -> bytes:
    return image(folder, raw, "vmdk", "subformat=streamOptimized")


def disk(href: str | None, raw: bytes, image_format: ImageFormat = "qcow2", **fields: Any) -> ApplianceDisk:
    known: dict[str, Any] = {"bus": "virtio", "format": image_format}
    return ApplianceDisk(href=href, capacity_bytes=len(raw), **(known | fields))


def appliance(*disks: ApplianceDisk, **fields: Any) -> Appliance:
    known: dict[str, Any] = {"name": "packed", "memory_mib": 64, "cpus": 1}
    return Appliance(disks=disks, **(known | fields))


def ova(
    described: Appliance | bytes, files: Mapping[str, bytes], tar_format: int = tarfile.USTAR_FORMAT
) -> bytes:
    """Pack a descriptor and files."""
    document = described if isinstance(described, bytes) else write_descriptor(described)
    return tar({"packed.ovf": document, **files}, tar_format)


def tar(files: Mapping[str, bytes], tar_format: int = tarfile.USTAR_FORMAT) -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=tar_format) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return output.getvalue()


def manifest(files: Mapping[str, bytes], algorithm: str = "SHA256") -> bytes:
    lines = (
        f"{algorithm}({name})= {hashlib.new(algorithm, content).hexdigest()}\n"
        for name, content in files.items()
    )
    return "".join(lines).encode()


def assert_disks(session: KvmSession, guest: Guest, folder: Path, *contents: bytes) -> list[Disk]:
    """Check that a guest has disks with these contents, and return them."""
    disks = disk_list(session, guest.id)
    assert len(disks) == len(contents)
    for found, content in zip(disks, contents, strict=True):
        expected = folder / "expected.raw"
        expected.write_bytes(content)
        command = ["qemu-img", "compare", "-f", "raw", "-F", "qcow2", str(expected), str(found.extra_info)]
        compared = subprocess.run(command, check=False, capture_output=True, text=True)
        assert compared.returncode == 0, compared.stdout + compared.stderr
    return disks
