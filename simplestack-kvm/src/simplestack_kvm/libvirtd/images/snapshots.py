"""Read which snapshots a qcow2 image has. libvirt does not tell.

Layout: QEMU's docs/interop/qcow2.txt.
"""

import struct
from dataclasses import dataclass
from typing import Any

from simplestack import Busy
from simplestack_kvm.libvirtd.images.headers import UnusableImage, format_of
from simplestack_kvm.libvirtd.images.sources import read_part, read_start
from simplestack_kvm.sdk import libvirt

#: Fixed part of an entry.
_ENTRY = struct.Struct(">QIHHIIQII")
#: An entry takes some 100 bytes. QEMU itself reads no longer table than 64 MiB.
_MAX_TABLE_BYTES = 1024 * 1024
_ATTEMPTS = 10


@dataclass(frozen=True, slots=True)
class ImageSnapshot:
    """A snapshot in an image."""

    #: QEMU's number of it. Where QEMU is given a name, it looks for a number of that text first.
    number: str
    name: str


def image_snapshots(volume: "libvirt.virStorageVol") -> list[ImageSnapshot]:
    """Return the snapshots in a volume; none of one that is no qcow2 image.

    QEMU moves the table when it changes it, so it is read until it is twice the same.

    :raises UnusableImage: its table of snapshots cannot be read
    :raises Busy: other requests change it all the time
    """
    last: list[ImageSnapshot] | None = None
    damage = 0
    for _ in range(_ATTEMPTS):
        try:
            snapshots = _read(volume)
        except struct.error:
            damage += 1
            continue
        if snapshots == last:
            return snapshots
        last = snapshots
    if damage == _ATTEMPTS:
        raise UnusableImage("has a damaged table of snapshots, or a very long one")
    raise Busy("other requests change the snapshots of the guest: try again when they are done")


def _read(volume: "libvirt.virStorageVol") -> list[ImageSnapshot]:
    connection: Any = volume.connect()  # type: ignore[no-untyped-call]  # the binding's own lacks types
    start = read_start(connection, volume)
    if format_of(start) != "qcow2":
        return []
    count, offset = struct.unpack_from(">IQ", start, 60)
    return _table(read_part(connection, volume, offset, _MAX_TABLE_BYTES), count) if count else []


def _table(table: bytes, count: int) -> list[ImageSnapshot]:
    """Read a table of snapshots.

    :raises struct.error: it is not complete
    """
    snapshots, position = [], 0
    for _ in range(count):
        _l1, _l1_entries, number_bytes, name_bytes, *_, extra_bytes = _ENTRY.unpack_from(table, position)
        position += _ENTRY.size + extra_bytes
        number, name = struct.unpack_from(f"{number_bytes}s{name_bytes}s", table, position)
        snapshots.append(ImageSnapshot(number.decode(errors="replace"), name.decode(errors="replace")))
        position = (position + number_bytes + name_bytes + 7) // 8 * 8
    return snapshots
