"""Whether a qcow2 image has all its data, of images that the real qemu-img made."""

import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from simplestack import MIB
from simplestack_kvm.libvirtd.images.headers import HEADER_BYTES
from simplestack_kvm.libvirtd.images.tables import MAX_TABLES, is_complete
from support.lacking import lacking_packages


@pytest.fixture(autouse=True)
def qemu_img() -> None:
    if not shutil.which("qemu-img"):
        lacking_packages(["qemu-utils"])


def converted(folder: Path, *options: str) -> bytes:
    raw, image = folder / "raw", folder / "image"
    raw.write_bytes(os.urandom(3 * MIB) + bytes(4 * MIB) + os.urandom(2 * MIB + 512))
    command = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", *options, str(raw), str(image)]
    subprocess.run(command, check=True)
    return image.read_bytes()


def complete(image: bytes) -> bool:
    return is_complete(
        image[:HEADER_BYTES], lambda offset, length: image[offset : offset + length], len(image)
    )


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["-o", "compat=0.10"],
        ["-c"],
        ["-o", "cluster_size=2M"],
        ["-o", "cluster_size=4k"],
        ["-o", "extended_l2=on,cluster_size=128k"],
        ["-c", "-o", "compression_type=zstd"],
    ],
)
def test_an_image_that_is_cut_short_is_noticed(tmp_path: Path, options: list[str]) -> None:
    image = converted(tmp_path, *options)
    (cluster_bits,) = struct.unpack_from(">I", image, 20)
    assert complete(image)
    for length in (len(image) // 4, len(image) // 2, len(image) - (1 << cluster_bits) - 512):
        if length > 200:
            assert not complete(image[:length])


def test_an_empty_image_is_complete(tmp_path: Path) -> None:
    image = tmp_path / "image"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(image), "100G"], check=True)
    assert complete(image.read_bytes())


def test_tables_that_are_one_and_the_same_are_read_once(tmp_path: Path) -> None:
    """An image of a few kilobytes may have millions of entries, each with the same table."""
    image = tmp_path / "image"
    create = ["qemu-img", "create", "-q", "-f", "qcow2", "-o", "preallocation=metadata", str(image), "1G"]
    subprocess.run(create, check=True)
    content = bytearray(image.read_bytes())
    length, offset = struct.unpack_from(">IQ", content, 36)
    content[offset : offset + 8 * length] = content[offset : offset + 8] * length
    reads = []

    def read(at: int, size: int) -> bytes:
        reads.append(at)
        return bytes(content[at : at + size])

    assert is_complete(bytes(content[:HEADER_BYTES]), read, len(content))
    assert len(reads) == 2


def test_tables_that_overlap_are_read_only_as_far_as_those_of_usual_images() -> None:
    """An image of a few megabytes may have a thousand tables of two megabytes, one begun inside the other."""
    content = bytearray(4 * MIB)
    content[:4] = b"QFI\xfb"
    struct.pack_into(">I12xI", content, 4, 2, 21)
    struct.pack_into(">IQ", content, 36, MAX_TABLES, 512)
    struct.pack_into(f">{MAX_TABLES}Q", content, 512, *(16 * 1024 + 512 * each for each in range(MAX_TABLES)))
    sizes = []

    def read(at: int, size: int) -> bytes:
        sizes.append(size)
        return bytes(content[at : at + size])

    assert is_complete(bytes(content[:HEADER_BYTES]), read, len(content))
    assert sum(sizes) <= 65 * MIB


def test_no_bytes_are_an_unexpected_error(tmp_path: Path) -> None:
    image = converted(tmp_path)
    for position in (*range(20, 48), *range(72, 80)):
        for value in (0x00, 0x09, 0x7F, 0xFF):
            changed = bytearray(image)
            changed[position] = value
            if 9 <= struct.unpack_from(">I", changed, 20)[0] <= 21:  # as a checked header has it
                complete(bytes(changed))
