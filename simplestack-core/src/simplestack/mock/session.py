"""Sessions: a world, the file that it lies in, and the bounds."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from simplestack import Credentials, EntityNotFound, Guest, InsufficientStorage, Target
from simplestack.mock.laboratory import store
from simplestack.mock.laboratory.crowd import add_crowd
from simplestack.mock.settings import MockSettings
from simplestack.mock.store.changes import Change
from simplestack.mock.store.database import Database, leave_database, use_database
from simplestack.mock.store.landscape import Landscape, landscape_of
from simplestack.mock.store.records import GuestRecord, NetworkRecord, decode_guest, decode_network
from simplestack.mock.store.schema import check_file
from simplestack.mock.store.seeding import seed
from simplestack.mock.store.views import decode_entities, decode_entity

_ENTITY = "SELECT entity FROM guest WHERE id = ? AND world = ?"
_RECORD = "SELECT record FROM guest WHERE id = ? AND world = ?"
_ENTITIES = "SELECT entity FROM guest WHERE world = ? AND template = 0 ORDER BY number"
_NETWORKS = "SELECT record FROM network WHERE world = ? ORDER BY number"
_NETWORK = "SELECT record FROM network WHERE id = ? AND world = ?"
_MEMORY = "SELECT COALESCE(SUM(memory_mib), 0) FROM guest WHERE world = ? AND host IS NOT NULL"
_STORAGES = "SELECT id, allocated, used FROM storage WHERE world = ?"


@dataclass(slots=True)
class MockSession:
    """A connection to one world. Any number of threads may use it."""

    world: str
    landscape: Landscape
    settings: MockSettings
    database: Database

    def entity(self, guest_id: str) -> Guest:
        """Read a guest as clients see it: one indexed row.

        :raises EntityNotFound: ``Guest``
        """
        row = self.database.connection().execute(_ENTITY, (guest_id, self.world)).fetchone()
        if row is None:
            raise EntityNotFound("Guest", guest_id)
        return decode_entity(row[0])

    def entities(self) -> list[Guest]:
        """Read all guests as clients see them, oldest first, without templates."""
        rows = self.database.connection().execute(_ENTITIES, (self.world,)).fetchall()
        return decode_entities(b"[%b]" % b",".join([row[0] for row in rows]))

    def guest(self, guest_id: str) -> GuestRecord:
        """Read all about a guest or template.

        :raises EntityNotFound: ``Guest``
        """
        row = self.database.connection().execute(_RECORD, (guest_id, self.world)).fetchone()
        if row is None:
            raise EntityNotFound("Guest", guest_id)
        return decode_guest(row[0])

    def networks(self) -> list[NetworkRecord]:
        """Read all networks, oldest first."""
        rows = self.database.connection().execute(_NETWORKS, (self.world,))
        return [decode_network(record) for (record,) in rows]

    def network(self, network_id: str) -> NetworkRecord:
        """Read a network.

        :raises EntityNotFound: ``Network``
        """
        row = self.database.connection().execute(_NETWORK, (network_id, self.world)).fetchone()
        if row is None:
            raise EntityNotFound("Network", network_id)
        return decode_network(row[0])

    def guest_memory_mib(self) -> int:
        """Return how much memory guests occupy."""
        row = self.database.connection().execute(_MEMORY, (self.world,)).fetchone()
        return int(row[0])

    def storage_bytes(self) -> dict[str, tuple[int, int]]:
        """Return what guests have been promised and what they have written, by the storage's id."""
        rows = self.database.connection().execute(_STORAGES, (self.world,))
        return {storage: (allocated, used) for storage, allocated, used in rows}

    @contextmanager
    def change(self) -> Iterator[Change]:
        """Change the world: what is done inside happens as a whole, or not at all.

        A world that is not there yet, or no more since another service reset the file, is made first.

        :raises InsufficientStorage: there are too many worlds
        """
        with self.database.writing() as connection:
            if not self.exists():
                (worlds,) = connection.execute("SELECT COUNT(*) FROM world").fetchone()
                if worlds >= self.settings.max_worlds:
                    raise InsufficientStorage(
                        f"{self.world} would be one world too many: the mock has {worlds} already. Use the "
                        "host name of one of them, or raise `max_worlds` in [hypervisors.mock]"
                    )
                connection.execute("INSERT INTO world (name) VALUES (?)", (self.world,))
                self._begin(connection)
            yield Change(connection, self.world, self.landscape, self.settings)

    def _begin(self, connection: sqlite3.Connection) -> None:
        """Fill a new world."""
        # What a world begins with does not depend on how low its bounds are.
        free = MockSettings(content_bytes=self.settings.content_bytes)
        seed(Change(connection, self.world, self.landscape, free))
        bounded = Change(connection, self.world, self.landscape, self.settings)
        add_crowd(bounded, self.settings.seed_guests)
        store.add(connection, self.world, self.settings.rules)

    def exists(self) -> bool:
        """Whether the world has been made."""
        connection = self.database.connection()
        return connection.execute("SELECT 1 FROM world WHERE name = ?", (self.world,)).fetchone() is not None


def connect(target: Target, credentials: Credentials, settings: MockSettings) -> MockSession:
    """Enter a world, and make it when this is the first time. There is no password that could be wrong.

    :raises HypervisorError: the database cannot be used
    :raises InsufficientStorage: there are too many worlds
    """
    del credentials
    database = use_database(Path(os.path.expanduser(settings.database)), reset=settings.reset)  # noqa: PTH111  Path's raises without a home
    session = MockSession(target.name, landscape_of(target.name), settings, database)
    try:
        if not session.exists():
            with session.change():
                pass
    except BaseException:
        leave_database(database)
        raise
    return session


def disconnect(session: MockSession) -> None:
    """Leave the world."""
    leave_database(session.database)


def warnings(settings: MockSettings) -> list[str]:
    """Report a database that cannot be used, before the first request meets it."""
    fault = check_file(Path(os.path.expanduser(settings.database)))  # noqa: PTH111  as above
    lines = ["any user and password are accepted: nothing in the mock's worlds is protected"]
    if settings.laboratory:
        lines.append("the laboratory is on: whoever reaches this service can make its mock fail")
    return lines if fault is None else [*lines, fault]
