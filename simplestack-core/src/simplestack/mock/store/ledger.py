"""What guests hold that is scarce: room in the storages, and MAC addresses. Booked with each guest."""

import sqlite3
from collections import Counter
from collections.abc import Iterator

from simplestack import Conflict, InsufficientStorage, gib
from simplestack.mock.store.landscape import Landscape, StorageSite
from simplestack.mock.store.records import GuestRecord

_READ = "SELECT allocated, used FROM storage WHERE world = ? AND id = ?"
_WRITE = """
INSERT INTO storage (world, id, allocated, used) VALUES (:world, :id, :allocated, :used)
ON CONFLICT DO UPDATE SET allocated = allocated + :allocated, used = used + :used
"""


class Ledger:
    """The books of a world, inside a transaction."""

    def __init__(self, connection: sqlite3.Connection, world: str, landscape: Landscape) -> None:
        self._connection = connection
        self._world = world
        self._landscape = landscape

    def book(self, before: GuestRecord | None, after: GuestRecord | None) -> None:
        """Take what a guest needs now, and give back what it needed before.

        :raises Conflict: a MAC address is taken
        :raises InsufficientStorage: no room for the disks
        """
        self._book_macs(before, after)
        allocated = Counter(_allocated(after))
        allocated.subtract(_allocated(before))
        used = Counter(_used(after))
        used.subtract(_used(before))
        for site in self._landscape.storages:
            if allocated[site.id] or used[site.id]:
                self._book_storage(site, allocated[site.id], used[site.id])

    def allocated(self, site: StorageSite) -> int:
        """Return how many bytes of a storage are promised."""
        row = self._connection.execute(_READ, (self._world, site.id)).fetchone()
        return site.preset_bytes + (0 if row is None else int(row[0]))

    def mac_owner(self, mac: str) -> str | None:
        """Return the id of the guest that has a MAC address."""
        row = self._connection.execute(
            "SELECT guest FROM mac WHERE world = ? AND mac = ?", (self._world, mac)
        ).fetchone()
        return None if row is None else str(row[0])

    def _book_storage(self, site: StorageSite, allocated: int, used: int) -> None:
        free = site.size_bytes - self.allocated(site)
        if allocated > max(free, 0):
            raise InsufficientStorage(
                f"storage {site.name} has {gib(free):g} GiB free, {gib(allocated):g} GiB more are needed: "
                "choose another storage, or remove disks"
            )
        self._connection.execute(
            _WRITE, {"world": self._world, "id": site.id, "allocated": allocated, "used": used}
        )

    def _book_macs(self, before: GuestRecord | None, after: GuestRecord | None) -> None:
        old, new = _macs(before), _macs(after)
        for mac in old - new:
            self._connection.execute("DELETE FROM mac WHERE world = ? AND mac = ?", (self._world, mac))
        for mac in sorted(new - old):
            owner = self.mac_owner(mac)
            if owner is not None:
                raise Conflict(
                    f"MAC address {mac} is that of an interface of guest {owner}: choose another one"
                )
            self._connection.execute(
                "INSERT INTO mac (world, mac, guest) VALUES (?, ?, ?)",
                (self._world, mac, "" if after is None else after.id),
            )


def _macs(guest: GuestRecord | None) -> set[str]:
    return set() if guest is None else {interface.mac for interface in guest.hardware.interfaces}


def _allocated(guest: GuestRecord | None) -> Counter[str]:
    counted: Counter[str] = Counter()
    if guest is not None:
        for disk in guest.hardware.disks:
            counted[disk.storage] += disk.size_bytes
    return counted


def _used(guest: GuestRecord | None) -> Counter[str]:
    """Count what is written: on the disks, and on those of the snapshots where they differ."""
    counted: Counter[str] = Counter()
    if guest is not None:
        for storage, _disk, _seed, length in set(_written(guest)):
            counted[storage] += length
    return counted


def _written(guest: GuestRecord) -> Iterator[tuple[str, str, str, int]]:
    for hardware in (guest.hardware, *(snapshot.hardware for snapshot in guest.snapshots)):
        for disk in hardware.disks:
            yield disk.storage, disk.id, disk.content.seed, disk.content.length
