"""One change of a world, inside a transaction: what it reads stays true until it is committed."""

import itertools
import sqlite3
from collections.abc import Iterable, Sequence

from simplestack import Conflict, EntityNotFound, HypervisorError
from simplestack.mock.settings import MockSettings
from simplestack.mock.store.addresses import new_mac
from simplestack.mock.store.landscape import HOST_MEMORY_MIB, HOST_OVERHEAD_MIB, Landscape, StorageSite
from simplestack.mock.store.ledger import Ledger
from simplestack.mock.store.records import (
    GuestRecord,
    NetworkRecord,
    decode_guest,
    decode_network,
    encode,
)
from simplestack.mock.store.views import guest_entity

_MAX_NAME = 255


class Change:
    """What a hook reads and writes while nobody else writes."""

    def __init__(
        self, connection: sqlite3.Connection, world: str, landscape: Landscape, settings: MockSettings
    ) -> None:
        self.world = world
        self.landscape = landscape
        self.settings = settings
        self._connection = connection
        self._ledger = Ledger(connection, world, landscape)

    def guest(self, guest_id: str) -> GuestRecord:
        """Read a guest or template by id.

        :raises EntityNotFound: ``Guest``
        """
        row = self._connection.execute(
            "SELECT record FROM guest WHERE world = ? AND id = ?", (self.world, guest_id)
        ).fetchone()
        if row is None:
            raise EntityNotFound("Guest", guest_id)
        return decode_guest(row[0])

    def guest_or_name(self, guest: str) -> GuestRecord:
        """Read a guest or template by id or name; an id goes first.

        :raises EntityNotFound: ``Guest``
        """
        row = self._connection.execute(
            "SELECT record FROM guest WHERE world = ? AND (id = ? OR name = ?) ORDER BY id = ? DESC",
            (self.world, guest, guest, guest),
        ).fetchone()
        if row is None:
            raise EntityNotFound("Guest", guest)
        return decode_guest(row[0])

    def network(self, network: str) -> NetworkRecord:
        """Read a network by id or name; an id goes first.

        :raises EntityNotFound: ``Network``
        """
        row = self._connection.execute(
            "SELECT record FROM network WHERE world = ? AND (id = ? OR name = ?) ORDER BY id = ? DESC",
            (self.world, network, network, network),
        ).fetchone()
        if row is None:
            raise EntityNotFound("Network", network)
        return decode_network(row[0])

    def add_network(self, network: NetworkRecord) -> None:
        """Keep a new network.

        :raises Conflict: its name is taken, or its VLAN on that interface, or there are too many
        """
        (networks,) = self._connection.execute(
            "SELECT COUNT(*) FROM network WHERE world = ?", (self.world,)
        ).fetchone()
        refuse_more("networks", "the world", networks, self.settings.max_networks)
        taken = self._connection.execute(
            "SELECT name FROM network WHERE world = ? AND (name = ? OR (trunk = ? AND vlan = ?))",
            (self.world, network.name, network.trunk, network.vlan),
        ).fetchone()
        if taken == (network.name,):
            raise Conflict(f"there is a network named {network.name!r} already: choose another name")
        if taken is not None:
            raise Conflict(f"VLAN {network.vlan} on {network.trunk} is that of network {taken[0]!r} already")
        self._connection.execute(
            "INSERT INTO network (world, id, name, trunk, vlan, record) VALUES (?, ?, ?, ?, ?, ?)",
            (self.world, network.id, network.name, network.trunk, network.vlan, encode(network)),
        )

    def add_guest(self, guest: GuestRecord) -> None:
        """Keep a new guest.

        :raises Conflict: its name or a MAC address is taken, or there are too many guests
        :raises InsufficientStorage: no room for its disks
        """
        self.add_guests([guest])

    def add_guests(self, guests: Sequence[GuestRecord]) -> None:
        """Keep new guests, all or none.

        :raises Conflict: a name or a MAC address is taken, or there are too many guests
        :raises InsufficientStorage: no room for their disks
        """
        (present,) = self._connection.execute(
            "SELECT COUNT(*) FROM guest WHERE world = ?", (self.world,)
        ).fetchone()
        refuse_more("guests", "the world", present + len(guests) - 1, self.settings.max_guests)
        for guest in guests:
            self.check_name(guest.name)
            self._check_bounds(None, guest)
            self._ledger.book(None, guest)
            self._connection.execute(
                "INSERT INTO guest (world, id, name, template, host, memory_mib, entity, record) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (self.world, guest.id, *_columns(guest)),
            )

    def save_guest(self, before: GuestRecord, after: GuestRecord) -> None:
        """Keep a guest that has changed.

        :raises Conflict: its new name or a MAC address is taken, or it has too much of something
        :raises InsufficientStorage: no room for its disks
        """
        if after.name != before.name:
            self.check_name(after.name)
        self._check_bounds(before, after)
        self._ledger.book(before, after)
        self._connection.execute(
            "UPDATE guest SET name = ?, template = ?, host = ?, memory_mib = ?, entity = ?, record = ? "
            "WHERE id = ? AND world = ?",
            (*_columns(after), after.id, self.world),
        )

    def remove_guest(self, guest: GuestRecord) -> None:
        """Forget a guest."""
        self._ledger.book(guest, None)
        self._connection.execute("DELETE FROM guest WHERE id = ? AND world = ?", (guest.id, self.world))

    def check_name(self, name: str) -> None:
        """Pass a name that no guest has.

        :raises Conflict: one has it
        """
        if self._has_name(name):
            raise Conflict(f"there is a guest named {name!r} already: choose another name")

    def free_name(self, name: str) -> str:
        """Return the name where no guest has it, else ``NAME (2)`` or the next one that is free."""
        candidate = name
        for number in itertools.count(2):
            if not self._has_name(candidate):
                break
            suffix = f" ({number})"
            candidate = name[: _MAX_NAME - len(suffix)] + suffix
        return candidate

    def free_mac(self, taken_here: Iterable[str]) -> str:
        """Return a new MAC address that is not in use."""
        taken = set(taken_here)
        while True:
            mac = new_mac()
            if mac not in taken and not self.mac_in_use(mac):
                return mac

    def mac_in_use(self, mac: str) -> bool:
        """Whether an interface of some guest has the MAC address."""
        return self._ledger.mac_owner(mac) is not None

    def roomiest_storage(self) -> StorageSite:
        """Return the storage for disks that has the most room."""
        sites = [site for site in self.landscape.storages if site.holds_disks]
        return max(sites, key=lambda site: site.size_bytes - self._ledger.allocated(site))

    def free_memory_mib(self) -> dict[str, int]:
        """Return how much memory is free, by host."""
        free = {host.name: HOST_MEMORY_MIB - HOST_OVERHEAD_MIB for host in self.landscape.hosts}
        for host, occupied_mib in self._connection.execute(
            "SELECT host, SUM(memory_mib) FROM guest WHERE world = ? AND host IS NOT NULL GROUP BY host",
            (self.world,),
        ):
            free[host] -= occupied_mib
        return free

    def highest_number(self, prefix: str) -> int:
        """Return the highest number that follows a prefix in a guest's name; 0 where there is none."""
        (highest,) = self._connection.execute(
            "SELECT MAX(CAST(SUBSTR(name, ?) AS INTEGER)) FROM guest WHERE world = ? AND name GLOB ?",
            (len(prefix) + 1, self.world, f"{prefix}[0-9]*"),
        ).fetchone()
        return highest or 0

    def host_for(self, guest: GuestRecord, memory_mib: int) -> str:
        """Return the name of a host that can hold a guest in memory: the one that does, else the freest.

        :param memory_mib: what the guest is going to have
        :raises HypervisorError: no host has so much
        """
        free = self.free_memory_mib()
        if guest.host is not None:
            free[guest.host] += guest.hardware.memory_mib
            if free[guest.host] >= memory_mib:
                return guest.host
        freest = max(free, key=lambda host: free[host])
        if free[freest] < memory_mib:
            raise HypervisorError(
                f"no host has {memory_mib} MiB of memory free, {freest} has the most with {free[freest]} MiB:"
                " stop other guests, or lower this one's memory",
                "HOST_NOT_ENOUGH_FREE_MEMORY",
            )
        return freest

    def _has_name(self, name: str) -> bool:
        found = self._connection.execute(
            "SELECT 1 FROM guest WHERE world = ? AND name = ?", (self.world, name)
        ).fetchone()
        return found is not None

    def _check_bounds(self, before: GuestRecord | None, after: GuestRecord) -> None:
        bounds = self.settings
        present = (0, 0, 0, 0) if before is None else _counts(before)
        names = ("disks", "network interfaces", "snapshots", "tags")
        limits = (bounds.max_disks, bounds.max_interfaces, bounds.max_snapshots, bounds.max_tags)
        for name, limit, old, new in zip(names, limits, present, _counts(after), strict=True):
            if new > old:  # what was made under a higher bound can still be changed and removed
                refuse_more(name, f"guest {after.name!r}", new - 1, limit)


def refuse_more(things: str, place: str, present: int, bound: int) -> None:
    """Pass one more thing where there are fewer than the bound.

    :raises Conflict: there are as many as there may be
    """
    if present >= bound:
        raise Conflict(f"{place} may have no more {things}: the bound in [hypervisors.mock] is {bound}")


def _columns(guest: GuestRecord) -> tuple[str, bool, str | None, int, bytes, bytes]:
    return (
        guest.name,
        guest.template,
        guest.host,
        guest.hardware.memory_mib,
        encode(guest_entity(guest)),
        encode(guest),
    )


def _counts(guest: GuestRecord) -> tuple[int, int, int, int]:
    hardware = guest.hardware
    return len(hardware.disks), len(hardware.interfaces), len(guest.snapshots), len(guest.tags)
