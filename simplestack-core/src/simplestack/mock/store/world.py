"""Read a world, and change it inside ``with session.change():``."""

import os
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Literal

import msgspec

from simplestack import Conflict, EntityNotFound, InsufficientStorage, InvalidArguments, gib
from simplestack.mock.settings import MockSettings
from simplestack.mock.store.claims import Claim, check_limit, check_limits, claims_of
from simplestack.mock.store.file import limit_wait
from simplestack.mock.store.records import GuestRecord, GuestSummary, NetworkRecord
from simplestack.mock.store.seeding import MAC_PREFIX, bulk_guests, first_guests, first_networks
from simplestack.mock.store.topology import GUEST_MEMORY_MIB, StorageSite, hosts_of, storages_of

_encode = msgspec.json.Encoder().encode
_decode_summary = msgspec.json.Decoder(GuestSummary).decode
_decode_summaries = msgspec.json.Decoder(list[GuestSummary]).decode
_decode_guest = msgspec.json.Decoder(GuestRecord).decode
_decode_network = msgspec.json.Decoder(NetworkRecord).decode

_SAVE_GUEST = """
INSERT INTO guest (id, world, name, template, summary, record) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, template = excluded.template, summary = excluded.summary,
    record = excluded.record
"""


class World:
    """A connection to one world. Threads take turns with it."""

    def __init__(self, name: str, connection: sqlite3.Connection, settings: MockSettings) -> None:
        self.name = name
        self.hosts = hosts_of(name)
        self.storages = storages_of(name)
        self.settings = settings
        self.connection = connection

    @contextmanager
    def change(self) -> Iterator[None]:
        """Run a write transaction. It is rolled back on errors.

        Create the world first if it does not exist, or no longer because another service has reset the file.

        :raises InsufficientStorage: there are too many worlds
        """
        with self.connection:  # commits at the end, or rolls back
            limit_wait(self.connection)
            self._query("BEGIN IMMEDIATE")
            if not self.exists():
                self._begin()
            yield

    def exists(self) -> bool:
        """Return whether the world exists."""
        return self._query("SELECT 1 FROM world WHERE name = ?", self.name).fetchone() is not None

    def summary(self, guest_id: str) -> GuestSummary:
        """Read the summary of a guest or template.

        :raises EntityNotFound: ``Guest``
        """
        return _decode_summary(self._read("summary", "guest", guest_id))

    def summaries(self) -> list[GuestSummary]:
        """Read the summaries of all guests, oldest first, without templates."""
        query = "SELECT summary FROM guest WHERE world = ? AND template = 0 ORDER BY number"
        rows = self._query(query, self.name).fetchall()
        return _decode_summaries(b"[%b]" % b",".join([row[0] for row in rows]))

    def guest(self, key: str, *, or_name: bool = False) -> GuestRecord:
        """Read a guest or template by ID, or by name if no ID matches.

        :raises EntityNotFound: ``Guest``
        """
        return _decode_guest(self._read("record", "guest", key, or_name=or_name))

    def networks(self) -> list[NetworkRecord]:
        """Read all networks, oldest first."""
        query = "SELECT record FROM network WHERE world = ? ORDER BY number"
        return [_decode_network(record) for (record,) in self._query(query, self.name)]

    def network(self, key: str, *, or_name: bool = False) -> NetworkRecord:
        """Read a network by ID, or by name if no ID matches.

        :raises EntityNotFound: ``Network``
        """
        return _decode_network(self._read("record", "network", key, or_name=or_name))

    def disk_storage(self, key: str | None) -> StorageSite:
        """Find a storage for disks by ID or name. Default: the one with the most free space.

        :raises EntityNotFound: ``Storage``
        :raises InvalidArguments: it is for ISO images
        """
        sites = [site for site in self.storages if site.holds_disks]
        if key is None:
            taken = self.storage_bytes()
            return max(sites, key=lambda site: site.size_bytes - taken[site.name][0])
        for site in self.storages:
            if key in (site.id, site.name):
                if site in sites:
                    return site
                others = " or ".join(repr(other.name) for other in sites)
                raise InvalidArguments(
                    f"storage {site.name!r} holds ISO images, no disks: choose another storage, such as "
                    f"{others}"
                )
        raise EntityNotFound("Storage", key)

    def storage_bytes(self) -> dict[str, tuple[int, int]]:
        """Return the allocated and the used bytes of each storage, by name.

        Images count as both.
        """
        claimed = self._claimed("storage")
        sums = {}
        for site in self.storages:
            promised, written = claimed.get(site.name, (0, 0))
            sums[site.name] = site.image_bytes + promised, site.image_bytes + written
        return sums

    def free_memory_mib(self) -> dict[str, int]:
        """Return the free memory of each host, by name."""
        claimed = self._claimed("memory")
        return {host.name: GUEST_MEMORY_MIB - claimed.get(host.name, (0, 0))[0] for host in self.hosts}

    def has_guest(self, name: str) -> bool:
        """Return whether there is a guest of this name."""
        row = self._query("SELECT 1 FROM guest WHERE world = ? AND name = ?", self.name, name).fetchone()
        return row is not None

    def mac_owner(self, mac: str) -> str | None:
        """Return the name of the guest that has a MAC address."""
        query = (
            "SELECT guest.name FROM claim JOIN guest ON guest.world = claim.world AND guest.id = claim.guest "
            "WHERE claim.world = ? AND claim.kind = 'mac' AND claim.name = ?"
        )
        row = self._query(query, self.name, mac).fetchone()
        return None if row is None else str(row[0])

    def free_mac(self, taken_here: Collection[str]) -> str:
        """Return a new MAC address that is not in use."""
        while True:
            mac = f"{MAC_PREFIX}:{os.urandom(3).hex(':')}"
            if mac not in taken_here and self.mac_owner(mac) is None:
                return mac

    def add_network(self, network: NetworkRecord) -> None:
        """Save a new network.

        :raises Conflict: its name, or its VLAN on that interface, is in use, or there are too many networks
        """
        check_limit("networks", "the world", self._count("network") + 1, self.settings.max_networks)
        query = "SELECT name FROM network WHERE world = ? AND (name = ? OR (trunk = ? AND vlan = ?))"
        taken = self._query(query, self.name, network.name, network.trunk, network.vlan).fetchone()
        if taken == (network.name,):
            raise Conflict.of_name("network", network.name)
        if taken is not None and network.vlan is not None:
            raise Conflict.of_vlan(network.vlan, taken[0])
        self._insert_network(network)

    def add_guest(self, guest: GuestRecord) -> None:
        """Save a new guest.

        :raises Conflict: its name or a MAC address is in use, or a limit is exceeded
        :raises InsufficientStorage: no room for its disks
        """
        check_limit("guests", "the world", self._count("guest") + 1, self.settings.max_guests)
        self._check_name(guest.name)
        check_limits(self.settings, None, guest)
        with self._with_room():
            self._write(guest, set())

    def save_guest(self, guest: GuestRecord) -> None:
        """Save a changed guest.

        :raises Conflict: its new name or a MAC address is in use, or a limit is exceeded
        :raises InsufficientStorage: no room for its disks
        """
        before = self.guest(guest.id)
        if guest.name != before.name:
            self._check_name(guest.name)
        check_limits(self.settings, before, guest)
        with self._with_room():
            self._write(guest, claims_of(before))

    def remove_guest(self, guest: GuestRecord) -> None:
        """Delete a guest."""
        self._query("DELETE FROM guest WHERE id = ?", guest.id)

    def _begin(self) -> None:
        """Create the world, without checking what it begins with against its limits and storages."""
        (worlds,) = self._query("SELECT COUNT(*) FROM world").fetchone()
        if worlds >= self.settings.max_worlds:
            raise InsufficientStorage(
                f"{self.name} would be one world too many: the mock has {worlds} already. Use the "
                "host name of one of them, or raise `max_worlds` in [hypervisors.mock]"
            )
        self._query("INSERT INTO world (name) VALUES (?)", self.name)
        for network in first_networks(self.name):
            self._insert_network(network)
        for guest in first_guests(self.name, self.settings.content_bytes):
            self._write(guest, set())
        free_mib, content_bytes = self.free_memory_mib(), self.settings.content_bytes
        for guest in bulk_guests(self.name, self.settings.seed_guests, free_mib, content_bytes):
            self._write(guest, set())

    def _insert_network(self, network: NetworkRecord) -> None:
        self._query(
            "INSERT INTO network (world, id, name, trunk, vlan, record) VALUES (?, ?, ?, ?, ?, ?)",
            *(self.name, network.id, network.name, network.trunk, network.vlan, _encode(network)),
        )

    @contextmanager
    def _with_room(self) -> Iterator[None]:
        """Check that the guests written inside fit into the storages."""
        before = self.storage_bytes()
        yield
        after = self.storage_bytes()
        for site in self.storages:
            free, needed = site.size_bytes - before[site.name][0], after[site.name][0] - before[site.name][0]
            if needed > max(free, 0):
                raise InsufficientStorage(
                    f"storage {site.name!r} has {gib(free):g} GiB free, and {gib(needed):g} GiB are needed: "
                    "free some space, or name another storage"
                )

    def _write(self, guest: GuestRecord, before: set[Claim]) -> None:
        """Write a guest.

        :param before: its previous claims
        """
        summary = _encode(guest.summary)
        self._query(_SAVE_GUEST, guest.id, self.name, guest.name, guest.template, summary, _encode(guest))
        claims = claims_of(guest)
        for claim in before - claims:
            query = "DELETE FROM claim WHERE world = ? AND kind = ? AND name = ? AND guest = ?"
            self._query(query, self.name, claim.kind, claim.name, guest.id)
        for claim in sorted(claims - before):
            owner = self.mac_owner(claim.name) if claim.kind == "mac" else None
            if owner is not None:
                raise Conflict.of_mac(claim.name, owner)
            query = "INSERT INTO claim (world, guest, kind, name, amount, used) VALUES (?, ?, ?, ?, ?, ?)"
            self._query(query, self.name, guest.id, *claim)

    def _check_name(self, name: str) -> None:
        if self.has_guest(name):
            raise Conflict.of_name("guest", name)

    def _claimed(self, kind: Literal["memory", "storage"]) -> dict[str, tuple[int, int]]:
        """Return the sums of the claims of a kind, by name."""
        query = "SELECT name, amount, used FROM claimed WHERE world = ? AND kind = ?"
        return {name: (amount, used) for name, amount, used in self._query(query, self.name, kind)}

    def _count(self, table: Literal["guest", "network"]) -> int:
        (count,) = self._query(f"SELECT COUNT(*) FROM {table} WHERE world = ?", self.name).fetchone()  # noqa: S608  a name of ours
        return int(count)

    def _read(
        self, column: str, table: Literal["guest", "network"], key: str, *, or_name: bool = False
    ) -> bytes:
        query = (
            f"SELECT {column} FROM {table} WHERE world = :world AND (id = :key OR name = :name) "  # noqa: S608  as above
            "ORDER BY id = :key DESC"
        )
        values = {"world": self.name, "key": key, "name": key if or_name else None}
        row = self.connection.execute(query, values).fetchone()
        if row is None:
            raise EntityNotFound(table.title(), key)
        return row[0]  # type: ignore[no-any-return]  # SQLite's values are of any type

    def _query(self, query: str, *values: str | int | bytes | None) -> sqlite3.Cursor:
        return self.connection.execute(query, values)
