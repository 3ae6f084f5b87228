"""Read the start of a disk image: its format, and whether it refers to other files. Pure functions on bytes.

QEMU opens whatever an image refers to with the rights of the host. Whoever wrote the image, perhaps a guest
into its own disk, may want to read the host's files that way. So nothing here trusts the image, and a layout
that is not understood is rejected.

Layouts: QEMU's docs/interop/qcow2.txt and qed_spec.txt, VMware's "Virtual Disk Format 1.1", Microsoft's
"Virtual Hard Disk Image Format Specification".
"""

import struct
from dataclasses import dataclass

#: How much of an image is read: ISO 9660's mark is at 32 KiB, and headers that qemu-img writes take less.
HEADER_BYTES = 64 * 1024

_QCOW_MAGIC = b"QFI\xfb"
_QCOW2_DATA_FILE = 1 << 2
#: Dirty, corrupt, compression type, extended L2 entries: none of them leads out of the file.
_QCOW2_HARMLESS = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 4
#: Dirty, corrupt.
_QCOW2_UNCLEAN = 1 << 0 | 1 << 1
_QCOW2_END, _QCOW2_BACKING_FORMAT, _QCOW2_DATA_FILE_NAME = 0, 0xE2792ACA, 0x44415441
_QCOW2_MAX_BACKING_BYTES = 1023
_QED_BACKING_FILE = 1 << 0
_VMDK_MAGICS = {b"KDMV": "vmdk", b"COWD": "vmdk3"}
_VMDK_SELF_CONTAINED = (b'createType="monolithicSparse"', b'createType="streamOptimized"')
_VHD_FIXED, _VHD_DYNAMIC = 2, 3
_VDI_MAGIC_OFFSET, _VDI_MAGIC = 64, b"\x7f\x10\xda\xbe"
_VDI_DYNAMIC, _VDI_STATIC = 1, 2
_ISO_MAGIC_OFFSET, _ISO_MAGIC = 32769, b"CD001"
#: Marks at the start of a file, by format. libvirt's words where it has one.
_MAGICS = {
    b"conectix": "vpc",
    b"vhdxfile": "vhdx",
    b"QED\0": "qed",
    b"LUKS\xba\xbe": "luks",
    b"OOOM": "cow",
    b"Bochs Virtual HD Image": "bochs",
    b"#!/bin/sh\n#V2.0 Format\nmodprobe cloop": "cloop",
    b"WithoutFreeSpace": "parallels",
    b"WithouFreSpacExt": "parallels",
} | _VMDK_MAGICS


class UnusableImage(Exception):
    """An image must not be opened. The text completes a sentence that starts with the image's name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageHeader:
    """What an image says of itself."""

    #: libvirt's word: ``raw``, ``qcow2``, ``iso``, ...
    format: str
    #: The backing file as the image names it; only a qcow2 image may have one.
    backing_file: str | None = None
    #: The format of the backing file, ``raw`` or ``qcow2``.
    backing_format: str | None = None
    #: The size of the disk in the image; None of ``raw`` and ``iso``, which are as large as they are.
    size_bytes: int | None = None
    #: Whether a guest can use the image as it is: qcow2 of version 3, closed properly, without snapshots.
    is_ready: bool = False


def format_of(start: bytes) -> str:
    """Return the format of an image by the first `HEADER_BYTES` of it; ``raw`` without any mark."""
    if start.startswith(_QCOW_MAGIC):
        return "qcow" if start[4:8] == b"\0\0\0\1" else "qcow2"
    for magic, image_format in _MAGICS.items():
        if start.startswith(magic):
            return image_format
    if start[_VDI_MAGIC_OFFSET : _VDI_MAGIC_OFFSET + len(_VDI_MAGIC)] == _VDI_MAGIC:
        return "vdi"
    if start[_ISO_MAGIC_OFFSET : _ISO_MAGIC_OFFSET + len(_ISO_MAGIC)] == _ISO_MAGIC:
        return "iso"
    return "vmdk-descriptor" if _is_vmdk_descriptor(start) else "raw"


def read_header(start: bytes) -> ImageHeader:
    """Read the start of an image.

    :param start: the first `HEADER_BYTES`, or the whole of a smaller image
    :raises UnusableImage: the image is encrypted, cannot be copied by libvirt, is damaged, or refers to
        another file in a way other than a qcow2 image's backing file
    """
    image_format = format_of(start)
    if image_format in ("raw", "iso"):
        return ImageHeader(format=image_format)
    reader = _READERS.get(image_format)
    if reader is None:
        raise UnusableImage(
            f"is of a format that cannot be copied ({image_format}): convert it to qcow2 first"
        )
    try:
        return reader(start)
    except struct.error:
        raise UnusableImage(f"is damaged: its {image_format} header is incomplete") from None


def _qcow2(start: bytes) -> ImageHeader:
    version, backing_offset, backing_bytes, cluster_bits = struct.unpack_from(">IQII", start, 4)
    (encryption,) = struct.unpack_from(">I", start, 32)
    if version not in (2, 3) or not 9 <= cluster_bits <= 21:
        raise UnusableImage(f"is damaged, or a qcow2 image of an unknown version ({version})")
    _reject_encrypted(encryption)
    (size_bytes,) = struct.unpack_from(">Q", start, 24)
    (snapshots,) = struct.unpack_from(">I", start, 60)
    is_ready, header_bytes = False, 72
    if version == 3:
        (features,) = struct.unpack_from(">Q", start, 72)
        (header_bytes,) = struct.unpack_from(">I", start, 100)
        if features & _QCOW2_DATA_FILE:
            raise _refers("keeps its data in another file")
        if features & ~_QCOW2_HARMLESS or header_bytes < 104:
            raise UnusableImage(
                "needs features of qcow2 that are unknown here: convert it to plain qcow2 first"
            )
        is_ready = not snapshots and not features & _QCOW2_UNCLEAN
    end = backing_offset or 1 << cluster_bits
    backing_format = _qcow2_extensions(start, header_bytes, end)
    if not backing_offset or not backing_bytes:
        return ImageHeader(format="qcow2", size_bytes=size_bytes, is_ready=is_ready)
    name = start[backing_offset : backing_offset + backing_bytes]
    if backing_bytes > _QCOW2_MAX_BACKING_BYTES or len(name) < backing_bytes:
        raise UnusableImage("is damaged: the name of its backing file is not in its header")
    if backing_format not in (b"raw", b"qcow2"):
        # Without a format QEMU would find it out by itself, and any driver of QEMU's may be named here.
        raise UnusableImage(
            "has a backing file whose format it does not say, or which is neither raw nor qcow2: convert it "
            "to a qcow2 image without a backing file"
        )
    try:
        return ImageHeader(
            format="qcow2",
            backing_file=name.decode(),
            backing_format=backing_format.decode(),
            size_bytes=size_bytes,
        )
    except UnicodeDecodeError:
        raise _refers("is based on another file") from None


def _qcow2_extensions(start: bytes, position: int, end: int) -> bytes | None:
    """Walk the header extensions; return the backing file's format."""
    backing_format = None
    while position + 8 <= end:
        kind, length = struct.unpack_from(">II", start, position)
        if kind == _QCOW2_END:
            break
        if kind == _QCOW2_DATA_FILE_NAME:
            raise _refers("keeps its data in another file")
        if kind == _QCOW2_BACKING_FORMAT:
            backing_format = start[position + 8 : position + 8 + length]
        position += 8 + (length + 7) // 8 * 8
    return backing_format


def _qcow(start: bytes) -> ImageHeader:
    (backing_offset,) = struct.unpack_from(">Q", start, 8)
    (size_bytes,) = struct.unpack_from(">Q", start, 24)
    (encryption,) = struct.unpack_from(">I", start, 36)
    _reject_encrypted(encryption)
    if backing_offset:
        raise _refers("is based on another file")
    return ImageHeader(format="qcow", size_bytes=size_bytes)


def _qed(start: bytes) -> ImageHeader:
    (features,) = struct.unpack_from("<Q", start, 16)
    (size_bytes,) = struct.unpack_from("<Q", start, 48)
    if features & _QED_BACKING_FILE:
        raise _refers("is based on another file")
    return ImageHeader(format="qed", size_bytes=size_bytes)


def _vmdk(start: bytes) -> ImageHeader:
    """Accept the kinds of VMDK that are one file; a header without capacity is only a list of other files.

    QEMU looks for the parent's name in the 20 sectors after the first, wherever the descriptor is.
    """
    (capacity,) = struct.unpack_from("<Q", start, 12)
    descriptor_sector, descriptor_sectors = struct.unpack_from("<QQ", start, 28)
    descriptor = start[descriptor_sector * 512 : (descriptor_sector + descriptor_sectors) * 512]
    alone = any(kind in descriptor for kind in _VMDK_SELF_CONTAINED)
    if not capacity or not alone or b"parentFileNameHint" in start:
        raise _refers("is a VMDK image that refers to other files")
    return ImageHeader(format="vmdk", size_bytes=capacity * 512)


def _vmdk_of_several(_start: bytes) -> ImageHeader:
    raise _refers("is a VMDK image that refers to other files")


def _vpc(start: bytes) -> ImageHeader:
    (kind,) = struct.unpack_from(">I", start, 60)
    if kind not in (_VHD_FIXED, _VHD_DYNAMIC):
        raise _refers("is a VHD image that is based on another file")
    (size_bytes,) = struct.unpack_from(">Q", start, 48)
    cylinders, heads, sectors = struct.unpack_from(">HBB", start, 56)
    # Which of them QEMU goes by depends on who made the image.
    return ImageHeader(format="vpc", size_bytes=max(size_bytes, cylinders * heads * sectors * 512))


def _vdi(start: bytes) -> ImageHeader:
    (kind,) = struct.unpack_from("<I", start, 76)
    if kind not in (_VDI_DYNAMIC, _VDI_STATIC):
        raise _refers("is a VDI image that is based on another file")
    (size_bytes,) = struct.unpack_from("<Q", start, 368)
    return ImageHeader(format="vdi", size_bytes=size_bytes)


def _luks(_start: bytes) -> ImageHeader:
    raise _encrypted()


_READERS = {
    "qcow2": _qcow2,
    "qcow": _qcow,
    "qed": _qed,
    "vmdk": _vmdk,
    "vmdk3": _vmdk_of_several,
    "vmdk-descriptor": _vmdk_of_several,
    "vpc": _vpc,
    "vdi": _vdi,
    "luks": _luks,
}


def _is_vmdk_descriptor(start: bytes) -> bool:
    """Tell whether QEMU takes a text for a VMDK descriptor: comments, blank lines, then the version."""
    if start.startswith(b"# Disk DescriptorFile"):
        return True
    for line in start.split(b"\n"):
        text = line.rstrip(b"\r")
        if text.startswith(b"#") or not text.strip(b" "):
            continue
        return text in (b"version=1", b"version=2", b"version=3")
    return False


def _reject_encrypted(method: int) -> None:
    if method:
        raise _encrypted()


def _encrypted() -> UnusableImage:
    return UnusableImage("is encrypted: convert it to a qcow2 image that is not")


def _refers(how: str) -> UnusableImage:
    return UnusableImage(f"{how}: convert it to a qcow2 image that refers to no other file")
