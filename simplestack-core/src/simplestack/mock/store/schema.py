"""The database file: made, checked, and emptied for a new start of the service."""

import fcntl
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from simplestack import HypervisorError
from simplestack.mock.errors import translate

_log = logging.getLogger("simplestack.mock")

#: "SSmk", which tells the file from other applications' (https://www.sqlite.org/fileformat.html#application_id).
_APPLICATION_ID = 0x53536D6B
#: Goes up whenever a table or a record changes its form.
SCHEMA_VERSION = 2
#: How long a writer waits for others.
BUSY_SECONDS = 20

_TABLES = """
CREATE TABLE start (only INTEGER PRIMARY KEY CHECK (only = 1), instance TEXT NOT NULL);
CREATE TABLE world (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE guest (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    world TEXT NOT NULL,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    template INTEGER NOT NULL,
    host TEXT,
    memory_mib INTEGER NOT NULL,
    entity BLOB NOT NULL,
    record BLOB NOT NULL,
    UNIQUE (world, name)
);
CREATE INDEX guest_order ON guest (world, template);
CREATE INDEX guest_memory ON guest (world, host, memory_mib) WHERE host IS NOT NULL;
CREATE TABLE mac (
    world TEXT NOT NULL, mac TEXT NOT NULL, guest TEXT NOT NULL, PRIMARY KEY (world, mac)
) WITHOUT ROWID;
CREATE TABLE network (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    world TEXT NOT NULL,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    trunk TEXT,
    vlan INTEGER,
    record BLOB NOT NULL,
    UNIQUE (world, name),
    UNIQUE (world, trunk, vlan)
);
CREATE TABLE storage (
    world TEXT NOT NULL, id TEXT NOT NULL, allocated INTEGER NOT NULL, used INTEGER NOT NULL,
    PRIMARY KEY (world, id)
) WITHOUT ROWID;
CREATE TABLE laboratory_rule (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    world TEXT NOT NULL,
    rule BLOB NOT NULL,
    calls INTEGER NOT NULL DEFAULT 0,
    hits INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE laboratory_call (
    world TEXT NOT NULL, hook TEXT NOT NULL, calls INTEGER NOT NULL, PRIMARY KEY (world, hook)
) WITHOUT ROWID;
"""
#: The tables of a world's contents, with the column that names the world.
_OF_WORLDS = {
    "world": "name",
    "guest": "world",
    "mac": "world",
    "network": "world",
    "storage": "world",
    "laboratory_rule": "world",
    "laboratory_call": "world",
}


def prepare(path: Path, *, reset: bool) -> None:
    """Make the file where there is none, check it, and empty it where `reset` asks for that.

    :raises HypervisorError: it cannot be made, or is no database of this version; the log has its path
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(path):
            _create_private(path)
            with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
                _check_form(connection, path)
                connection.execute("PRAGMA journal_mode = WAL")
                if reset:
                    _empty_once(connection)
    except OSError as error:
        _log.error("%s: %s", path, error.strerror)
        raise HypervisorError(
            f"the mock's database cannot be made: {error.strerror}; `database` in [hypervisors.mock] has to "
            "name a file in a folder that the service may write"
        ) from error
    except sqlite3.Error as error:
        _log.error("%s: %s", path, error)
        raise translate(error) or error from error


def check_file(path: Path) -> str | None:
    """Return what is wrong with a file that exists, with its path, for the operator; None if nothing is."""
    try:
        path.stat()
        prepare(path, reset=False)
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"{path}: {error.strerror}"
    except HypervisorError as error:
        return f"{path}: {error.message}"
    return None


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep others from opening the file: SQLite changes the journal mode without waiting for them."""
    lock = os.open(path.with_name(f"{path.name}.lock"), os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _create_private(path: Path) -> None:
    # Only ever a new file: to open and close an existing one would drop SQLite's locks on it in this process
    # (https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_).
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return


def _check_form(connection: sqlite3.Connection, path: Path) -> None:
    (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if tables == 0 and application == 0 and version == 0:
        connection.executescript(
            f"BEGIN EXCLUSIVE; {_TABLES} PRAGMA application_id = {_APPLICATION_ID}; "
            f"PRAGMA user_version = {SCHEMA_VERSION}; COMMIT"
        )
    elif application != _APPLICATION_ID:
        _log.error("%s: is a database of another application", path)
        raise HypervisorError(
            "the file that `database` in [hypervisors.mock] names is another application's: name another"
        )
    elif version != SCHEMA_VERSION:
        _log.error("%s: has schema %s, this version needs %s", path, version, SCHEMA_VERSION)
        raise HypervisorError(
            f"the mock's database has schema {version}, this version of Simplestack needs {SCHEMA_VERSION}: "
            "stop the service and remove the file that `database` in [hypervisors.mock] names"
        )


def forget_world(connection: sqlite3.Connection, world: str) -> None:
    """Remove a world with all that is in it. The caller holds a transaction."""
    for table, column in _OF_WORLDS.items():
        connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (world,))  # noqa: S608  names of our own


def _empty_once(connection: sqlite3.Connection) -> None:
    instance = _service_start()
    connection.execute("BEGIN EXCLUSIVE")
    try:
        if connection.execute("SELECT instance FROM start").fetchone() != (instance,):
            for table in ("start", *_OF_WORLDS):
                connection.execute(f"DELETE FROM {table}")  # noqa: S608  names of our own
            connection.execute("INSERT INTO start (only, instance) VALUES (1, ?)", (instance,))
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _service_start() -> str:
    """Return what all workers of one start of a service have in common, and no two starts."""
    named = os.environ.get("SIMPLESTACK_INSTANCE")
    if named:
        return f"named {named}"
    parent = os.getppid()
    try:
        # proc(5): field 22 is the time of the start, which tells apart those that got the same process id in
        # turn. The second field is in parentheses and may hold spaces.
        started = Path(f"/proc/{parent}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        started = ""
    return f"parent {parent} {started}"
