"""The SQLite file of the worlds: a connection for each thread, one writer at a time."""

import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simplestack import Busy
from simplestack.mock.store.schema import BUSY_SECONDS, prepare


class _Connection(sqlite3.Connection):
    """A connection that is closed when its thread ends, and can be referred to weakly."""

    def __del__(self) -> None:
        self.close()


class Database:
    """An open file of worlds, for all threads of a process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.start_afresh()
        with _fork_lock:
            _databases.add(self)

    def start_afresh(self) -> None:
        """Have no connection and no writer."""
        self._local = threading.local()
        self._writing = threading.Lock()
        self._connections: weakref.WeakSet[_Connection] = weakref.WeakSet()

    def connection(self) -> sqlite3.Connection:
        """Return this thread's connection, in autocommit mode."""
        try:
            return self._local.connection  # type: ignore[no-any-return]  # threading.local holds anything
        except AttributeError:
            connection = self._local.connection = self._connect()
            return connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the right to write: what is done inside happens as a whole, or not at all.

        :raises Busy: others kept writing for `BUSY_SECONDS`
        """
        # SQLite lets writers sleep and retry; in one process a lock is fairer and wakes them at once.
        if not self._writing.acquire(timeout=BUSY_SECONDS):
            raise Busy("the mock's database is held by other writers: try again")
        try:
            connection = self.connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        finally:
            self._writing.release()

    def close(self) -> None:
        """Close the connections of all threads. Nobody may use them any more."""
        with _fork_lock:
            connections = list(self._connections)
            _databases.discard(self)
        for connection in connections:
            connection.close()

    def held_connections(self) -> list[_Connection]:
        """Return the connections of all threads. The caller holds the fork lock."""
        return list(self._connections)

    def _connect(self) -> _Connection:
        connection = sqlite3.connect(
            self.path,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            # A thread uses its own only; `close` may come from another one.
            check_same_thread=False,
            factory=_Connection,
        )
        # With a write-ahead log a commit survives the process's crash without waiting for the disk.
        connection.execute("PRAGMA synchronous = NORMAL")
        with _fork_lock:
            self._connections.add(connection)
        return connection


_fork_lock = threading.Lock()
_databases: weakref.WeakSet[Database] = weakref.WeakSet()
#: Connections of the parent process. "Do not open an SQLite database connection, then fork(2), then try to
#: use that database connection in the child process" (https://www.sqlite.org/howtocorrupt.html): closing
#: them is a use, and so is the end of the parent's threads in the child. So they are kept, and never touched.
_inherited: list[_Connection] = []
_databases_in_use: dict[Path, tuple[Database, int]] = {}
_use_lock = threading.Lock()


def use_database(path: Path, *, reset: bool) -> Database:
    """Return the open database of a file, making it where there is none. Each use ends with `leave_database`.

    :param reset: whether to empty it when this is a new start of the service
    :raises HypervisorError: the file cannot be used; the log says more
    """
    path = Path(os.path.realpath(path))
    with _use_lock:
        database, users = _databases_in_use.get(path, (None, 0))
        if database is None:
            prepare(path, reset=reset)
            database = Database(path)
        _databases_in_use[path] = database, users + 1
        return database


def leave_database(database: Database) -> None:
    """End a use; the last one closes the file."""
    with _use_lock:
        known, users = _databases_in_use.get(database.path, (None, 0))
        if known is not database:  # of before a fork
            return
        if users > 1:
            _databases_in_use[database.path] = database, users - 1
            return
        del _databases_in_use[database.path]
        database.close()


def _before_fork() -> None:
    _use_lock.acquire()
    _fork_lock.acquire()
    for database in _databases:
        _inherited.extend(database.held_connections())


def _in_parent() -> None:
    _inherited.clear()
    _fork_lock.release()
    _use_lock.release()


def _in_child() -> None:
    for database in _databases:
        database.start_afresh()
    _fork_lock.release()
    _use_lock.release()


os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child)
