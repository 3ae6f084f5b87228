"""Images that nobody should trust: each is rejected before libvirt sees a byte of it."""

import bz2
import gzip
import lzma
import os
import shutil
import struct
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from simplestack import (
    MIB,
    InsufficientStorage,
    InvalidArguments,
    SimplestackError,
)
from simplestack_kvm.hooks.guests import guest_delete
from simplestack_kvm.hooks.guests_import import guest_import
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.images.headers import HEADER_BYTES

from .counterparts.libvirtd import Libvirtd
from .host_state import host_state
from .uploads import DESCRIBED, Upload, load

MORE = os.urandom(MIB)


def create(path: Path, image_format: str, *options: str, size: str = "4M") -> bytes:
    command = ["qemu-img", "create", "-q", "-f", image_format, *options, str(path), size]
    subprocess.run(command, check=True, capture_output=True)
    return path.read_bytes()


class Reject(Protocol):
    """Checks that an image is rejected after its first bytes, and leaves nothing."""

    def __call__(self, body: bytes, match: str, error: type[SimplestackError] = InvalidArguments) -> None: ...


@pytest.fixture
def reject(session: KvmSession, libvirtd: Libvirtd) -> Reject:
    def rejected(body: bytes, match: str, error: type[SimplestackError] = InvalidArguments) -> None:
        before = host_state(session.connection, libvirtd)
        upload = Upload(body + MORE)
        with pytest.raises(error, match=match) as caught:
            guest_import(session, upload, None, libvirtd.pool, DESCRIBED)
        assert upload.read_bytes <= HEADER_BYTES, "only the start of the image is read"
        assert host_state(session.connection, libvirtd) == before
        assert str(libvirtd.folder) not in caught.value.message

    return rejected


@pytest.fixture
def fifo(outside: Path) -> Path:
    """Give a file that hangs whoever opens it."""
    path = outside / "hangs"
    os.mkfifo(path)
    return path


@pytest.fixture(params=["0.10", "1.1"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def bases(secret: Path, fifo: Path) -> list[str]:
    return [str(secret), str(fifo), "../outside/secret", "nbd://127.0.0.1:10809/x", "/etc/shadow"]


@pytest.mark.parametrize("backing_format", ["raw", "qcow2", None])
def test_a_qcow2_that_is_based_on_a_file_of_the_host_is_rejected(
    reject: Reject, tmp_path: Path, bases: list[str], backing_format: str | None, version: str
) -> None:
    for base in bases:
        content = bytearray(
            create(tmp_path / "image", "qcow2", "-u", "-b", base, "-F", "raw", "-o", f"compat={version}")
        )
        if backing_format != "raw":
            at = content.index(struct.pack(">II", 0xE2792ACA, 3)) + 8
            content[at : at + 3] = b"raw" if backing_format is None else b"qco"
            if backing_format is None:
                content[at - 8 : at - 4] = struct.pack(">I", 0x12345678)
        reject(bytes(content), "backing file|based on another file")


def test_a_qcow2_that_is_based_on_the_disk_of_another_guest_is_rejected(
    session: KvmSession, libvirtd: Libvirtd, reject: Reject, tmp_path: Path
) -> None:
    """The pools hold the disks of all guests, whoever they belong to."""
    other = libvirtd.pool_folder / f"other-{uuid.uuid4().hex[:8]}.qcow2"
    create(other, "qcow2")
    pool = session.connection.storagePoolLookupByName(libvirtd.pool)
    pool.refresh()
    try:
        for base in (str(other), other.name):
            image = create(tmp_path / "image", "qcow2", "-u", "-b", base, "-F", "qcow2")
            reject(image, "based on another file")
    finally:
        other.unlink()
        pool.refresh()


def test_a_qcow2_that_keeps_its_data_elsewhere_is_rejected(
    reject: Reject, tmp_path: Path, secret: Path
) -> None:
    image = create(tmp_path / "image", "qcow2", "-o", f"data_file={tmp_path / 'data'},data_file_raw=on")
    content = image.replace(
        str(tmp_path / "data").encode(), str(secret).encode()[: len(str(tmp_path / "data"))]
    )
    reject(content, "keeps its data in another file")


@pytest.mark.parametrize("kind", ["monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat"])
def test_a_vmdk_that_lists_other_files_is_rejected(reject: Reject, tmp_path: Path, kind: str) -> None:
    image = create(tmp_path / "image", "vmdk", "-o", f"subformat={kind}")
    reject(image, "refers to other files")


def test_a_vmdk_whose_header_hides_a_list_of_files_is_rejected(reject: Reject, secret: Path) -> None:
    text = f'# Disk DescriptorFile\nversion=1\ncreateType="monolithicFlat"\nRW 8 FLAT "{secret}" 0\n'.encode()
    for capacity in (0, 8192):
        header = b"KDMV" + struct.pack("<IIQQQQ", 1, 3, capacity, 128, 1, 20)
        content = header.ljust(512, b"\0") + text.ljust(10240, b"\0")
        reject(content, "refers to other files")


@pytest.mark.parametrize("image_format", ["qcow", "qed"])
def test_an_older_image_that_is_based_on_a_file_of_the_host_is_rejected(
    reject: Reject, tmp_path: Path, secret: Path, image_format: str
) -> None:
    image = create(tmp_path / "image", image_format, "-u", "-b", str(secret), "-F", "raw")
    reject(image, "based on another file")


def test_differencing_images_are_rejected(reject: Reject, tmp_path: Path) -> None:
    vhd = bytearray(create(tmp_path / "image", "vpc"))
    vhd[60:64] = struct.pack(">I", 4)
    reject(bytes(vhd), "based on another file")
    vdi = bytearray(create(tmp_path / "other", "vdi"))
    vdi[76:80] = struct.pack("<I", 4)
    reject(bytes(vdi), "based on another file")


@pytest.mark.parametrize("image_format", ["vhdx", "parallels"])
def test_a_format_that_libvirt_takes_for_raw_data_is_rejected(
    reject: Reject, tmp_path: Path, image_format: str
) -> None:
    reject(create(tmp_path / "image", image_format), image_format)


def test_an_encrypted_image_is_rejected(reject: Reject, tmp_path: Path) -> None:
    luks = b"LUKS\xba\xbe\0\1".ljust(MIB, b"\0")
    reject(luks, "encrypted")
    qcow2 = bytearray(create(tmp_path / "image", "qcow2"))
    qcow2[32:36] = struct.pack(">I", 1)
    reject(bytes(qcow2), "encrypted")


def test_features_that_are_not_known_are_rejected(reject: Reject, tmp_path: Path) -> None:
    image = bytearray(create(tmp_path / "image", "qcow2"))
    image[72:80] = struct.pack(">Q", 1 << 5)
    reject(bytes(image), "unknown")


def zstd(content: bytes) -> bytes:
    return b"\x28\xb5\x2f\xfd" + content


@pytest.mark.parametrize(
    ("how", "compress"),
    [("gzip", gzip.compress), ("xz", lzma.compress), ("bzip2", bz2.compress), ("zstd", zstd)],
)
def test_a_compressed_image_is_no_raw_disk(
    reject: Reject, how: str, compress: Callable[[bytes], bytes]
) -> None:
    reject(compress(os.urandom(MIB)), f"compressed by {how}: decompress")


def test_a_zip_archive_is_no_raw_disk(reject: Reject, tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(bytes(1000))
    archive = Path(shutil.make_archive(str(tmp_path / "archive"), "zip", tmp_path, "disk"))
    reject(archive.read_bytes(), "ZIP archive")


def test_an_iso_image_is_no_raw_disk(reject: Reject) -> None:
    reject((bytes(32769) + b"CD001\1").ljust(MIB, b"\0"), "ISO image")


@pytest.mark.parametrize(
    ("size_bytes", "error"), [(0, InvalidArguments), (2**63, InvalidArguments), (2**45, InsufficientStorage)]
)
def test_a_disk_of_an_impossible_size_is_rejected(
    reject: Reject,
    tmp_path: Path,
    size_bytes: int,
    error: type[SimplestackError],
) -> None:
    qcow2 = bytearray(create(tmp_path / "image", "qcow2"))
    qcow2[24:32] = struct.pack(">Q", size_bytes)
    reject(bytes(qcow2), "GiB", error)
    vmdk = bytearray(create(tmp_path / "image", "vmdk", "-o", "subformat=streamOptimized"))
    if size_bytes:  # without a size, the header only says where a list of other files is
        vmdk[12:20] = struct.pack("<Q", size_bytes // 512)
        reject(bytes(vmdk), "GiB", error)


@pytest.mark.parametrize(
    ("image_format", "length"),
    [("qcow2", 70), ("qcow", 30), ("qed", 40), ("vdi", 100), ("vpc", 50), ("vmdk", 40)],
)
def test_a_header_that_ends_early_is_rejected(
    session: KvmSession, libvirtd: Libvirtd, tmp_path: Path, image_format: str, length: int
) -> None:
    content = create(tmp_path / "image", image_format)[:length]
    before = host_state(session.connection, libvirtd)
    with pytest.raises(InvalidArguments, match="is damaged"):
        guest_import(session, Upload(content), length, libvirtd.pool, DESCRIBED)
    assert host_state(session.connection, libvirtd) == before


@pytest.mark.parametrize("options", ["compat=1.1", "compat=0.10"])
def test_a_qcow2_that_is_cut_short_is_rejected_and_leaves_nothing(
    session: KvmSession, libvirtd: Libvirtd, tmp_path: Path, options: str
) -> None:
    raw = tmp_path / "raw"
    raw.write_bytes(os.urandom(4 * MIB))
    image = tmp_path / "image"
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", "-o", options, str(raw), str(image)], check=True)
    content = image.read_bytes()
    before = host_state(session.connection, libvirtd)
    for length in (100 * 1024, len(content) // 2, len(content) - 100 * 1024):
        with pytest.raises(InvalidArguments, match="ends too early"):
            guest_import(session, Upload(content[:length]), length, libvirtd.pool, DESCRIBED)
        assert host_state(session.connection, libvirtd) == before


@pytest.mark.parametrize("options", ["subformat=streamOptimized", "subformat=monolithicSparse"])
def test_a_vmdk_that_is_cut_short_or_damaged_is_rejected_and_leaves_nothing(
    session: KvmSession, libvirtd: Libvirtd, tmp_path: Path, options: str
) -> None:
    raw = tmp_path / "raw"
    raw.write_bytes(os.urandom(2 * MIB))
    command = [
        "qemu-img",
        "convert",
        "-f",
        "raw",
        "-O",
        "vmdk",
        "-o",
        options,
        str(raw),
        str(tmp_path / "image"),
    ]
    subprocess.run(command, check=True)
    content = (tmp_path / "image").read_bytes()
    damaged = [content[: 40 * 1024], content[:512] + bytes(len(content) - 512)]
    if "stream" in options:
        damaged.append(content[: len(content) // 2])
    before = host_state(session.connection, libvirtd)
    for body in damaged:
        with pytest.raises(InvalidArguments) as caught:
            guest_import(session, Upload(body), len(body), libvirtd.pool, DESCRIBED)
        assert "/" not in caught.value.message.replace("I/O", "")
        assert host_state(session.connection, libvirtd) == before


@pytest.mark.parametrize("sectors", [4096, 8 * MIB])
def test_a_vmdk_has_the_size_that_was_checked_at_its_end_too(
    session: KvmSession, libvirtd: Libvirtd, tmp_path: Path, sectors: int
) -> None:
    """QEMU goes by the header at the end of an image, where the one at its start says that there is one."""
    raw, image = tmp_path / "raw", tmp_path / "image"
    raw.write_bytes(os.urandom(2 * MIB))
    command = ["qemu-img", "convert", "-f", "raw", "-O", "vmdk", "-o", "subformat=streamOptimized"]
    subprocess.run([*command, str(raw), str(image)], check=True)
    content = bytearray(image.read_bytes())
    end = bytearray(content[:512])
    struct.pack_into("<Q", end, 12, sectors)
    content[56:64] = b"\xff" * 8
    body = bytes(content) + struct.pack("<QII", 1, 0, 3).ljust(512, b"\0") + end + bytes(512)
    before = host_state(session.connection, libvirtd)
    if sectors == 4096:
        guest_delete(session, load(session, libvirtd, body).id)
    else:
        with pytest.raises(InvalidArguments, match="another size at its end"):
            load(session, libvirtd, body)
    assert host_state(session.connection, libvirtd) == before
