"""Check the start of VMDK images. Leases take the stream-optimized ones alone.

Reference: VMware, "Virtual Disk Format 5.0".
"""

import re
import struct

from simplestack import GIB, MAX_DISK_GIB, InvalidArguments
from simplestack.appliances import Incoming

_SECTOR_BYTES = 512
#: Magic, version, flags, capacity, grain size, offset and size of the descriptor in sectors.
_HEADER = struct.Struct("<4sIIQQQQ")
#: Flags of stream-optimized images: compressed grains, and marks before them.
_STREAMED = 1 << 16 | 1 << 17
_MAX_DESCRIPTOR_SECTORS = 128
_PARENT = re.compile(rb"^parentCID\s*=\s*(\w+)", re.MULTILINE)
_NO_PARENT = b"ffffffff"
_ADVICE = "convert it: `qemu-img convert -O vmdk -o subformat=streamOptimized IMAGE disk.vmdk`"
#: What other images begin with.
_OTHERS = {
    b"COWD": "a sparse VMDK of ESX",
    b"# Disk DescriptorFile": "the descriptor of a VMDK whose data is in another file",
    b"QFI\xfb": "a qcow2 image",
    b"<<< ": "a VDI image",
    b"conectix": "a VHD image",
    b"vhdxfile": "a VHDX image",
    b"\x1f\x8b": "compressed by gzip",
}


def check_vmdk(image: Incoming, what: str) -> int:
    """Return the size of the disk in a stream-optimized VMDK in bytes, by its start, which stays unread.

    :param what: names the image in errors: ``the image``
    :raises InvalidArguments: it is something else, or holds the changes of another disk
    """
    start = image.peek(_SECTOR_BYTES)
    if not start:
        raise InvalidArguments(f"{what} is empty: send the bytes of one")
    if not start.startswith(b"KDMV") or len(start) < _SECTOR_BYTES:
        kind = next((kind for mark, kind in _OTHERS.items() if start.startswith(mark)), "in no known format")
        raise InvalidArguments(f"{what} is {kind}, not a stream-optimized VMDK: {_ADVICE}")
    _, _, flags, sectors, _, at, length = _HEADER.unpack_from(start)
    if flags & _STREAMED != _STREAMED:
        raise InvalidArguments(f"{what} is a sparse VMDK, not a stream-optimized one: {_ADVICE}")
    disk_bytes: int = sectors * _SECTOR_BYTES
    if not 0 < disk_bytes <= MAX_DISK_GIB * GIB:
        raise InvalidArguments(
            f"{what} says that its disk has {disk_bytes} bytes: it must have more than 0 bytes, and at most "
            f"{MAX_DISK_GIB} GiB"
        )
    if at + length <= _MAX_DESCRIPTOR_SECTORS:
        descriptor = image.peek((at + length) * _SECTOR_BYTES)[at * _SECTOR_BYTES :]
        parent = _PARENT.search(descriptor)
        if parent is not None and parent[1].lower() != _NO_PARENT:
            raise InvalidArguments(f"{what} holds the changes of another disk: export it without snapshots")
    return disk_bytes
