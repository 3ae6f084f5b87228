"""Create, check and open the SQLite file of all worlds, and empty it at a start of the service."""

import fcntl
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simplestack import HypervisorError, time_left_seconds
from simplestack.mock.errors import translate
from simplestack.mock.settings import SCHEMA_VERSION

_log = logging.getLogger("simplestack.mock")

#: "SSmk", which tells the file from other applications' (https://www.sqlite.org/fileformat.html#application_id).
_APPLICATION_ID = 0x53536D6B
#: Maximum time that a writer waits for others.
_BUSY_SECONDS = 20

#: A record is JSON. All else is derived from it: columns for lookups, `summary` for lists of guests, the
#: claims of guests (:mod:`simplestack.mock.store.claims`), and their sums.
_TABLES = """
CREATE TABLE start (instance TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE world (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE network (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    world TEXT NOT NULL REFERENCES world ON DELETE CASCADE,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    trunk TEXT NOT NULL,
    vlan INTEGER,
    record BLOB NOT NULL,
    UNIQUE (world, name),
    UNIQUE (world, trunk, vlan)
);
CREATE TABLE guest (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    world TEXT NOT NULL REFERENCES world ON DELETE CASCADE,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    template INTEGER NOT NULL,
    summary BLOB NOT NULL,
    record BLOB NOT NULL,
    UNIQUE (world, name)
);
CREATE INDEX guest_order ON guest (world, template);
CREATE TABLE claim (
    world TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    guest TEXT NOT NULL REFERENCES guest (id) ON DELETE CASCADE,
    amount INTEGER NOT NULL,
    used INTEGER NOT NULL,
    PRIMARY KEY (world, kind, name, guest)
) WITHOUT ROWID;
CREATE INDEX claim_guest ON claim (guest);
CREATE UNIQUE INDEX claim_mac ON claim (world, name) WHERE kind = 'mac';
CREATE TABLE claimed (
    world TEXT NOT NULL REFERENCES world ON DELETE CASCADE,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    amount INTEGER NOT NULL,
    used INTEGER NOT NULL,
    PRIMARY KEY (world, kind, name)
) WITHOUT ROWID;
CREATE TRIGGER claim_added AFTER INSERT ON claim WHEN NEW.kind <> 'mac' BEGIN
    INSERT INTO claimed VALUES (NEW.world, NEW.kind, NEW.name, NEW.amount, NEW.used)
    ON CONFLICT DO UPDATE SET amount = amount + NEW.amount, used = used + NEW.used;
END;
CREATE TRIGGER claim_removed AFTER DELETE ON claim WHEN OLD.kind <> 'mac' BEGIN
    UPDATE claimed SET amount = amount - OLD.amount, used = used - OLD.used
    WHERE world = OLD.world AND kind = OLD.kind AND name = OLD.name;
END;
"""


def open_file(path: Path, *, reset: bool) -> sqlite3.Connection:
    """Return a connection to the file, in autocommit mode. Make the file if there is none.

    :param reset: whether to remove all worlds, unless this start of the service has done so
    :raises HypervisorError: it cannot be created, or has another format; the log has its path
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(path):
            _create_private(path)
            # Threads take turns with a session, and so with its connection.
            connection = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            try:
                _prepare(connection, path, reset=reset)
            except BaseException:
                connection.close()
                raise
            return connection
    except OSError as error:
        _log.error("%s: %s", path, error.strerror)
        raise HypervisorError(
            f"the mock's database cannot be made: {error.strerror}; `database` in [hypervisors.mock] has to "
            "name a file in a folder that the service may write"
        ) from error
    except sqlite3.Error as error:
        _log.error("%s: %s", path, error)
        raise translate(error) or error from error


def limit_wait(connection: sqlite3.Connection) -> None:
    """Wait for other writers only as long as the current operation may take."""
    seconds = max(0, min(_BUSY_SECONDS, time_left_seconds()))
    connection.execute(f"PRAGMA busy_timeout = {int(1000 * seconds)}")


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Lock the file while it is opened: SQLite does not wait for others when it sets the journal mode."""
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


def _prepare(connection: sqlite3.Connection, path: Path, *, reset: bool) -> None:
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
    connection.execute("PRAGMA journal_mode = WAL")
    # With a write-ahead log a commit survives the process's crash without waiting for the disk.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    if reset:
        _empty_once(connection)


def _empty_once(connection: sqlite3.Connection) -> None:
    """Remove all worlds, unless this start of the service has done so."""
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        started = connection.execute("INSERT OR IGNORE INTO start VALUES (?)", (_service_start(),))
        if started.rowcount:
            connection.execute("DELETE FROM world")


def _service_start() -> str:
    """Return an ID of this start of the service, the same for all of its workers."""
    named = os.environ.get("SIMPLESTACK_INSTANCE")
    if named:
        return f"named {named}"
    parent = os.getppid()
    try:
        # proc(5): field 22 is the start time, which distinguishes this process from later ones with its ID.
        # The second field is in parentheses and may have spaces.
        started = Path(f"/proc/{parent}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        started = ""
    return f"parent {parent} {started}"
