"""Images that a storage has no room for: noticed before they are read, then, or when they are converted."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from simplestack import MIB, InsufficientStorage, SimplestackError
from simplestack_kvm.errors import translate
from simplestack_kvm.hooks.guests_import import guest_import
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.images.headers import HEADER_BYTES

from .counterparts.libvirtd import Libvirtd
from .image_guests import qemu_img
from .small_pools import small_pool
from .uploads import DESCRIBED, Upload


def test_a_disk_that_is_larger_than_the_storage_is_rejected(
    session: KvmSession, libvirtd: Libvirtd, tmp_path: Path
) -> None:
    qemu_img("create", "-q", "-f", "qcow2", tmp_path / "image", "1G")
    with small_pool(session, libvirtd) as pool:
        upload = Upload((tmp_path / "image").read_bytes() + os.urandom(MIB))
        with pytest.raises(InsufficientStorage, match="a disk of 1 GiB, and storage small-"):
            guest_import(session, upload, None, pool.name, DESCRIBED)
        assert upload.read_bytes <= HEADER_BYTES
        assert pool.files() == []


@pytest.mark.parametrize("image_format", ["qcow2", "raw"])
def test_an_image_that_turns_out_to_be_too_large_is_removed(
    session: KvmSession, libvirtd: Libvirtd, tmp_path: Path, image_format: str
) -> None:
    raw = tmp_path / "raw"
    raw.write_bytes(os.urandom(20 * MIB))
    subprocess.run(["qemu-img", "convert", "-O", image_format, str(raw), str(tmp_path / "image")], check=True)
    content = (tmp_path / "image").read_bytes()
    with small_pool(session, libvirtd) as pool:
        # By what libvirt says of the storage.
        pool.fill(8 * MIB)
        with pytest.raises(InsufficientStorage, match=r"0\.015\d GiB left"):
            guest_import(session, Upload(content), None, pool.name, DESCRIBED)
        assert pool.files() == []
        # By what the storage says, since somebody else fills it meanwhile.
        pool.fill(0)

        def fill(read_bytes: int) -> None:
            if 11 * MIB <= read_bytes < 12 * MIB:
                pool.fill(8 * MIB)

        with pytest.raises(SimplestackError) as caught:
            _translated(
                lambda: guest_import(
                    session, Upload(content, before=fill), len(content), pool.name, DESCRIBED
                )
            )
        assert isinstance(caught.value, InsufficientStorage)
        assert pool.files() == []


def test_an_image_that_does_not_fit_when_it_is_converted_is_removed(
    session: KvmSession, libvirtd: Libvirtd, tmp_path: Path
) -> None:
    """Compressed images grow: how much is known only when they are converted."""
    raw = tmp_path / "raw"
    raw.write_bytes(b"a long text, and always the same ".ljust(64, b".") * (22 * MIB // 64))
    command = [
        "qemu-img",
        "convert",
        "-O",
        "vmdk",
        "-o",
        "subformat=streamOptimized",
        str(raw),
        str(tmp_path / "image"),
    ]
    subprocess.run(command, check=True)
    content = (tmp_path / "image").read_bytes()
    assert len(content) < MIB
    with small_pool(session, libvirtd) as pool:
        pool.fill(8 * MIB)
        with pytest.raises(SimplestackError) as caught:
            _translated(lambda: guest_import(session, Upload(content), None, pool.name, DESCRIBED))
        assert isinstance(caught.value, InsufficientStorage)
        assert pool.files() == []


def _translated(action: Callable[[], object]) -> None:
    """Do something, and raise its error as core does."""
    try:
        action()
    except Exception as error:
        known = error if isinstance(error, SimplestackError) else translate(error)
        assert known is not None
        raise known from None
