"""New sizes of disks, which can only grow."""

from collections.abc import Sequence
from typing import Literal

from simplestack.entities.limits import gib
from simplestack.errors import InvalidArguments

#: Sizes in GiB may be rounded by less.
_SECTOR_BYTES = 512


def grown_bytes(field: Literal["hdd", "size"], wanted_bytes: int, sizes_bytes: Sequence[int]) -> int:
    """Return the size that the last disk needs so that all have a sum; its own size if they have it.

    :param field: the field of the request: ``hdd`` of a guest, or ``size`` of a disk
    :param wanted_bytes: the sum of the sizes
    :param sizes_bytes: the current sizes, of a single disk for ``size``
    :raises InvalidArguments: the guest has no disk, or the disks would shrink
    """
    if not sizes_bytes:
        raise InvalidArguments(f"`{field}`: the guest has no disk to grow: add one first")
    total = sum(sizes_bytes)
    more = wanted_bytes - total
    if abs(more) < _SECTOR_BYTES:
        return sizes_bytes[-1]
    if more < 0:
        having = "the guest's disks have" if field == "hdd" else "the disk has"
        raise InvalidArguments(
            f"`{field}`: {gib(wanted_bytes):g} GiB is less than {having} ({gib(total):g} GiB): "
            "disks can only grow"
        )
    return sizes_bytes[-1] + more
