"""Translate SQLite's errors. The path of the file is only logged: clients must not see it."""

import sqlite3

from simplestack import Busy, HypervisorError, InsufficientStorage, SimplestackError

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_CLOSED_TO_US = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_AUTH)


def translate(error: Exception) -> SimplestackError | None:
    """Return the error for clients; None if it is not an error of SQLite."""
    if not isinstance(error, sqlite3.Error):
        return None
    # The low byte is the primary code, https://www.sqlite.org/rescode.html
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    name = getattr(error, "sqlite_errorname", "SQLITE_ERROR")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Busy("the mock's database is held by another writer: try again")
    if code == sqlite3.SQLITE_FULL:
        return InsufficientStorage("the file system under the mock's database is full: make room on it")
    if code in _DAMAGED:
        return HypervisorError(
            "the mock's database is damaged: stop the service, remove the file that `database` in "
            "[hypervisors.mock] names, and start it again with worlds as new",
            name,
        )
    if code in _CLOSED_TO_US:
        return HypervisorError(
            "the mock's database cannot be opened or written: `database` in [hypervisors.mock] has to name "
            "a file that the service may write",
            name,
        )
    return HypervisorError(f"the mock's database failed: {error}", name)
