"""What the start of an image says, of images that the real qemu-img made."""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from simplestack import MIB
from simplestack_kvm.libvirtd.images.headers import (
    HEADER_BYTES,
    ImageHeader,
    UnusableImage,
    format_of,
    read_header,
)
from support.lacking import lacking_packages

BACKING_STRINGS = [
    "/etc/shadow",
    "base.qcow2",
    'json:{"driver":"raw","file":{"driver":"file","filename":"/etc/shadow"}}',
    "nbd://127.0.0.1:10809/secret",
    "nbd:127.0.0.1:10809",
    "x" * 1023,
]


@pytest.fixture(autouse=True)
def qemu_img() -> None:
    if not shutil.which("qemu-img"):
        lacking_packages(["qemu-utils"])


def run(*arguments: str) -> None:
    for _ in range(20):
        made = subprocess.run(["qemu-img", *arguments], check=False, capture_output=True, text=True)
        # On a busy machine qemu-img cannot measure how long its key derivation takes.
        if "accurate CPU usage" not in made.stderr:
            break
    assert made.returncode == 0, made.stderr


def make(folder: Path, image_format: str, *options: str, size: str = "4M") -> bytes:
    """Return the start of a new image."""
    path = folder / f"image.{image_format}"
    run("create", "-q", "-f", image_format, *options, str(path), size)
    return start(path)


def start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEADER_BYTES)


@pytest.mark.parametrize(
    ("image_format", "options"),
    [
        ("qcow2", ["-o", "compat=0.10"]),
        ("qcow2", ["-o", "compat=1.1"]),
        ("qcow2", ["-o", "compat=1.1,lazy_refcounts=on,compression_type=zstd"]),
        ("qcow2", ["-o", "extended_l2=on,cluster_size=2M"]),
        ("qcow2", ["-o", "cluster_size=512"]),
        ("qcow", []),
        ("qed", []),
        ("vdi", []),
        ("vdi", ["-o", "static=on"]),
        ("vpc", []),
        ("vmdk", []),
        ("vmdk", ["-o", "subformat=streamOptimized"]),
    ],
)
def test_an_image_that_stands_alone_is_known_by_its_format(
    tmp_path: Path, image_format: str, options: list[str]
) -> None:
    header = read_header(make(tmp_path, image_format, *options))
    assert (header.format, header.backing_file) == (image_format, None)
    # A VHD has whole cylinders.
    assert header.size_bytes == (4 * MIB if image_format != "vpc" else 8228 * 512)
    assert header.is_ready == (image_format == "qcow2" and options != ["-o", "compat=0.10"])


def test_an_image_with_internal_snapshots_stands_alone(tmp_path: Path) -> None:
    make(tmp_path, "qcow2")
    run("snapshot", "-c", "one", str(tmp_path / "image.qcow2"))
    assert read_header(start(tmp_path / "image.qcow2")) == ImageHeader(format="qcow2", size_bytes=4 * MIB)


@pytest.mark.parametrize("features", [1 << 0, 1 << 1])
def test_an_image_that_was_not_closed_or_is_corrupt_is_not_ready_for_a_guest(
    tmp_path: Path, features: int
) -> None:
    image = bytearray(make(tmp_path, "qcow2"))
    assert read_header(bytes(image)).is_ready
    image[72:80] = struct.pack(">Q", features)
    assert not read_header(bytes(image)).is_ready


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 512, bytes(range(256)) * 16, b"#!/bin/sh\n", b"# only a comment\n"]
)
def test_what_has_no_mark_is_raw(content: bytes) -> None:
    assert read_header(content) == ImageHeader(format="raw")


def test_an_iso_is_known_by_its_mark() -> None:
    assert read_header(b"\0" * 32769 + b"CD001\1").format == "iso"


@pytest.mark.parametrize("compat", ["0.10", "1.1"])
@pytest.mark.parametrize("backing_format", ["raw", "qcow2"])
@pytest.mark.parametrize("backing", BACKING_STRINGS)
def test_a_backing_file_is_named_with_its_format(
    tmp_path: Path, compat: str, backing_format: str, backing: str
) -> None:
    options = ["-u", "-b", backing, "-F", backing_format, "-o", f"compat={compat}"]
    assert read_header(make(tmp_path, "qcow2", *options)) == ImageHeader(
        format="qcow2", backing_file=backing, backing_format=backing_format, size_bytes=4 * MIB
    )


def without_backing_format(image: bytes) -> bytes:
    """Turn the header extension that names the format into one that nobody knows."""
    return image.replace(struct.pack(">I", 0xE2792ACA), struct.pack(">I", 0x12345678))


@pytest.mark.parametrize("backing_format", ["vmdk", "nbd", "host_device", None])
def test_a_backing_file_that_qemu_would_probe_or_open_with_another_driver_is_rejected(
    tmp_path: Path, backing_format: str | None
) -> None:
    image = make(tmp_path, "qcow2", "-u", "-b", "/etc/shadow", "-F", backing_format or "raw")
    with pytest.raises(UnusableImage, match="backing file"):
        read_header(image if backing_format else without_backing_format(image))


@pytest.mark.parametrize("options", ["", ",data_file_raw=on"])
def test_an_external_data_file_is_rejected(tmp_path: Path, options: str) -> None:
    image = make(tmp_path, "qcow2", "-o", f"data_file={tmp_path}/data{options}")
    with pytest.raises(UnusableImage, match="another file"):
        read_header(image)
    for bit_only in (image.replace(b"DATA", b"ATAD"), image[:72] + b"\0" * 8 + image[80:]):
        with pytest.raises(UnusableImage, match="another file"):
            read_header(bit_only)


@pytest.mark.parametrize(
    "options",
    [
        [
            "--object",
            "secret,id=s,data=x",
            "-o",
            "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=200",
        ],
        ["--object", "secret,id=s,data=x", "-o", "encrypt.format=aes,encrypt.key-secret=s"],
    ],
)
def test_an_encrypted_qcow2_is_rejected(tmp_path: Path, options: list[str]) -> None:
    with pytest.raises(UnusableImage, match="encrypted"):
        read_header(make(tmp_path, "qcow2", *options))


def test_luks_is_rejected(tmp_path: Path) -> None:
    options = ["--object", "secret,id=s,data=x", "-o", "key-secret=s,iter-time=200"]
    with pytest.raises(UnusableImage, match="encrypted"):
        read_header(make(tmp_path, "luks", *options))


@pytest.mark.parametrize("image_format", ["qcow", "qed"])
def test_another_formats_backing_file_is_rejected(tmp_path: Path, image_format: str) -> None:
    image = make(tmp_path, image_format, "-u", "-b", "/etc/shadow", "-F", "raw")
    with pytest.raises(UnusableImage, match="based on another file"):
        read_header(image)


@pytest.mark.parametrize("kind", ["monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat"])
def test_a_vmdk_descriptor_is_rejected(tmp_path: Path, kind: str) -> None:
    image = make(tmp_path, "vmdk", "-o", f"subformat={kind}")
    assert format_of(image) == "vmdk-descriptor"
    for text in (image, b"\n# comment\r\n" + image.replace(b"# Disk DescriptorFile", b"")):
        with pytest.raises(UnusableImage, match="other files"):
            read_header(text)


def test_a_vmdk_whose_embedded_descriptor_names_other_files_is_rejected(tmp_path: Path) -> None:
    """QEMU takes a header without capacity for the place of a descriptor, and opens what that names."""
    text = b'# Disk DescriptorFile\nversion=1\ncreateType="monolithicFlat"\nRW 8 FLAT "/etc/shadow" 0\n'
    header = b"KDMV" + struct.pack("<IIQQQQ", 1, 3, 0, 128, 1, 20)
    with pytest.raises(UnusableImage, match="other files"):
        read_header(header.ljust(512, b"\0") + text.ljust(10240, b"\0"))
    with_capacity = b"KDMV" + struct.pack("<IIQQQQ", 1, 3, 8192, 128, 1, 20)
    with pytest.raises(UnusableImage, match="other files"):
        read_header(with_capacity.ljust(512, b"\0") + text.ljust(10240, b"\0"))


def test_a_vmdk_with_a_parent_is_rejected(tmp_path: Path) -> None:
    make(tmp_path, "vmdk")
    (tmp_path / "image.vmdk").rename(tmp_path / "base.vmdk")
    image = make(tmp_path, "vmdk", "-b", str(tmp_path / "base.vmdk"), "-F", "vmdk")
    with pytest.raises(UnusableImage, match="other files"):
        read_header(image)


def test_an_esx_extent_is_rejected() -> None:
    with pytest.raises(UnusableImage, match="other files"):
        read_header(b"COWD" + b"\0" * 2044)


def test_a_differencing_vhd_is_rejected(tmp_path: Path) -> None:
    image = bytearray(make(tmp_path, "vpc"))
    image[60:64] = struct.pack(">I", 4)
    with pytest.raises(UnusableImage, match="based on another file"):
        read_header(bytes(image))


def test_a_differencing_vdi_is_rejected(tmp_path: Path) -> None:
    image = bytearray(make(tmp_path, "vdi"))
    image[76:80] = struct.pack("<I", 4)
    with pytest.raises(UnusableImage, match="based on another file"):
        read_header(bytes(image))


@pytest.mark.parametrize("image_format", ["vhdx", "parallels"])
def test_a_format_that_libvirt_would_copy_as_raw_bytes_is_rejected(tmp_path: Path, image_format: str) -> None:
    with pytest.raises(UnusableImage, match=image_format):
        read_header(make(tmp_path, image_format))


def test_features_that_are_not_known_are_rejected(tmp_path: Path) -> None:
    image = bytearray(make(tmp_path, "qcow2"))
    image[72:80] = struct.pack(">Q", 1 << 5)
    with pytest.raises(UnusableImage, match="unknown"):
        read_header(bytes(image))


@pytest.mark.parametrize("image_format", ["qcow2", "qcow", "qed", "vdi", "vpc", "vmdk"])
def test_a_header_that_ends_early_is_rejected(tmp_path: Path, image_format: str) -> None:
    image = make(tmp_path, image_format)
    assert format_of(image[:68]) == image_format
    with pytest.raises(UnusableImage):
        read_header(image[:68] if image_format == "vdi" else image[:16])


def test_a_backing_file_that_is_named_far_from_the_header_is_rejected(tmp_path: Path) -> None:
    """QEMU reads the name anywhere in the first cluster, which may be larger than what is read here."""
    image = bytearray(
        make(tmp_path, "qcow2", "-u", "-b", "/etc/shadow", "-F", "raw", "-o", "cluster_size=2M")
    )
    image[8:16] = struct.pack(">Q", HEADER_BYTES + 512)
    with pytest.raises(UnusableImage):
        read_header(bytes(image))


def test_no_start_of_a_file_is_an_unexpected_error(tmp_path: Path) -> None:
    """Whatever somebody writes at the start of an image is read or rejected."""
    for image_format in ("qcow2", "qcow", "qed", "vdi", "vpc", "vmdk"):
        image = make(tmp_path, image_format)
        for position in range(min(len(image), 600)):
            for value in (0x00, 0x7F, 0xFF):
                changed = bytearray(image)
                changed[position] = value
                try:
                    read_header(bytes(changed))
                except UnusableImage:
                    continue
