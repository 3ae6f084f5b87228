"""Images in the pool that libvirt did not make, and the guests that are made of them."""

import subprocess
import uuid
from pathlib import Path

import pytest

from simplestack import (
    MIB,
    GuestCreate,
    SimplestackError,
)
from simplestack_kvm.hooks.disks import disk_list
from simplestack_kvm.hooks.guests import guest_delete
from simplestack_kvm.hooks.guests_create import guest_create
from simplestack_kvm.libvirtd.connection.session import KvmSession

from .counterparts.libvirtd import Libvirtd

CONTENT = b"what the image is meant to hold ".ljust(512, b".")


def qemu_img(*arguments: str | Path) -> None:
    subprocess.run(["qemu-img", *map(str, arguments)], check=True, capture_output=True)


class Pool:
    """Files in the pool that are put there by other means than libvirt."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: list[Path] = []

    def path(self, suffix: str = ".img") -> Path:
        path = self.folder / f"image-{uuid.uuid4().hex[:8]}{suffix}"
        self.made.append(path)
        return path


def refresh(session: KvmSession, libvirtd: Libvirtd) -> None:
    session.connection.storagePoolLookupByName(libvirtd.pool).refresh()


def traces(session: KvmSession, libvirtd: Libvirtd) -> tuple[list[str], list[str]]:
    names = sorted(domain.name() for domain in session.connection.listAllDomains())
    return names, sorted(path.name for path in libvirtd.pool_folder.iterdir())


def wanted(image: Path, libvirtd: Libvirtd) -> GuestCreate:
    return GuestCreate(name=f"guest of {image.name}", memory=32, image=image.name, storage=libvirtd.pool)


def first_bytes(path: str | Path) -> bytes:
    """Return what a guest would read at the start of its qcow2 disk."""
    read = ["qemu-img", "dd", "-f", "qcow2", "-O", "raw", "bs=512", "count=1", f"if={path}"]
    output = Path(f"{path}.start")
    try:
        subprocess.run([*read, f"of={output}"], check=True, capture_output=True)
        return output.read_bytes()
    finally:
        output.unlink(missing_ok=True)


def content_of_a_guest(session: KvmSession, libvirtd: Libvirtd, image: Path) -> bytes:
    """Make a guest of an image and return how its disk starts."""
    made = guest_create(session, wanted(image, libvirtd))
    try:
        (disk,) = disk_list(session, made.id)
        return first_bytes(str(disk.extra_info))
    finally:
        guest_delete(session, made.id)


def assert_rejected(
    session: KvmSession, libvirtd: Libvirtd, image: Path, *secrets: Path, error: type[SimplestackError]
) -> SimplestackError:
    """Check that no guest is made of an image, that nothing is left of it, and what the client reads."""
    before = traces(session, libvirtd)
    with pytest.raises(error) as caught:
        guest_create(session, wanted(image, libvirtd))
    assert traces(session, libvirtd) == before
    assert image.name in caught.value.message
    for path in (libvirtd.folder, *secrets):
        assert str(path) not in caught.value.message, "a path of the host"
    return caught.value


def qcow2(pool: Pool, backing: str | Path, backing_format: str = "raw") -> Path:
    path = pool.path(".qcow2")
    qemu_img("create", "-q", "-u", "-f", "qcow2", "-b", backing, "-F", backing_format, path, "2M")
    return path


def alone(pool: Pool, content: bytes = CONTENT, *, image_format: str = "qcow2") -> Path:
    """Make an image that refers to no other."""
    raw = pool.path(".raw")
    raw.write_bytes(content.ljust(2 * MIB, b"\0"))
    image = pool.path(f".{image_format}")
    qemu_img("convert", "-f", "raw", "-O", image_format, raw, image)
    raw.unlink()
    return image
