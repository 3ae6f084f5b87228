"""Find out whether a qcow2 image has all the data that its tables refer to. Pure functions.

QEMU reads zeros after the end of a file. So a guest whose image was cut short would find zeros on its disk.

Layout: QEMU's docs/interop/qcow2.txt.
"""

import struct
from collections.abc import Callable

_EXTENDED_ENTRIES = 1 << 4
_COMPRESSED = 1 << 62
_OFFSET = 0x00FF_FFFF_FFFF_FE00
#: Enough for a disk of 64 TiB with QEMU's clusters of 64 KiB.
_MAX_FIRST_TABLE_BYTES = 1024 * 1024
#: How many of the second tables are looked at: those of a disk of 512 GiB.
MAX_TABLES = 1024
#: And how much of them, since those of larger clusters are larger, and may overlap.
_MAX_TABLES_BYTES = 64 * 1024 * 1024


def is_complete(start: bytes, read: Callable[[int, int], bytes], file_bytes: int) -> bool:
    """Tell whether nothing that an image refers to is after its end, as far as its tables are looked at.

    :param start: the header, which has been checked
    :param read: returns some bytes of the image, given where they are and how many
    :param file_bytes: the size of the image
    """
    version, cluster_bits = struct.unpack_from(">I12xI", start, 4)
    length, offset = struct.unpack_from(">IQ", start, 36)
    (features,) = struct.unpack_from(">Q", start, 72) if version >= 3 else (0,)
    if offset + 8 * length > file_bytes:
        return False
    first = _entries(read(offset, min(8 * length, _MAX_FIRST_TABLE_BYTES)))
    tables = sorted({entry & _OFFSET for entry in first} - {0})
    cluster_bytes = 1 << cluster_bits
    if tables and tables[-1] + cluster_bytes > file_bytes:
        return False
    step = 2 if features & _EXTENDED_ENTRIES else 1
    return all(
        _place(entry, cluster_bits) < file_bytes
        for table in tables[: min(MAX_TABLES, _MAX_TABLES_BYTES // cluster_bytes)]
        for entry in _entries(read(table, cluster_bytes))[::step]
    )


def _entries(table: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{len(table) // 8}Q", table[: len(table) // 8 * 8])


def _place(entry: int, cluster_bits: int) -> int:
    """Return where the data of an entry begins; 0 for one without data."""
    if entry & _COMPRESSED:
        return entry & ((1 << (62 - (cluster_bits - 8))) - 1)
    return entry & _OFFSET
