"""Rules and counts of calls in an SQLite file. Counting a call is one transaction, so no call is missed."""

import logging
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from simplestack import Busy, CallContext, Conflict, EntityNotFound, time_left_seconds
from simplestack.fault_injection.rules import MAX_RULES, CallCount, Report, Rule

_log = logging.getLogger("simplestack.fault_injection")

#: "SSfi", which tells the file from other applications' (https://www.sqlite.org/fileformat.html#application_id).
_APPLICATION_ID = 0x53536669
_SCHEMA_VERSION = 1
#: Maximum time that a call waits for others.
_BUSY_SECONDS = 20
#: The same after the time limit of the operation: a call that hangs until then still reads its rule.
_LATE_SECONDS = 1
#: SQLite's integers have 63 bits.
_MAX_NUMBER = 2**63 - 1
_TABLES = (
    """
CREATE TABLE rule (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    rule BLOB NOT NULL,
    calls INTEGER NOT NULL DEFAULT 0,
    hits INTEGER NOT NULL DEFAULT 0
)
""",
    """
CREATE TABLE call (
    hypervisor TEXT NOT NULL, host TEXT NOT NULL, operation TEXT NOT NULL, calls INTEGER NOT NULL,
    PRIMARY KEY (hypervisor, host, operation)
) WITHOUT ROWID
""",
)
_COUNT_CALL = """
INSERT INTO call (hypervisor, host, operation, calls) VALUES (?, ?, ?, 1)
ON CONFLICT DO UPDATE SET calls = calls + 1
"""
_CALLS = """
SELECT hypervisor, host, operation, calls FROM call
WHERE hypervisor = IFNULL(?, hypervisor) AND host = IFNULL(?, host) ORDER BY hypervisor, host, operation
"""
_FORGET_CALLS = "DELETE FROM call WHERE hypervisor = IFNULL(?, hypervisor) AND host = IFNULL(?, host)"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Rule).decode


class Faults:
    """The rules of a file, for tests in Python and for the pages of the service.

    .. code-block:: python

        faults = Faults("faults.sqlite3")
        faults.add(Rule(operation="guest_create", action="error", error="Busy", times=1))

    Threads and processes can share a file. No connection stays open between two calls, so you can create a
    `Faults` before a process forks.
    """

    def __init__(self, file: str | Path, rules: Iterable[Rule] = ()) -> None:
        """Create the file if it does not exist.

        :param rules: the rules of a new file
        :raises ValueError: the file cannot be created, or it belongs to another application
        """
        self._path = Path(file).expanduser()
        self._first_rules = tuple(rules)
        #: The rules that the log has a line of.
        self._unreadable: set[int] = set()
        try:
            with self._writing():
                pass
        except (OSError, sqlite3.Error) as error:
            raise ValueError(f"{file} cannot be used for the rules of fault injection: {error}") from error

    def add(self, rule: Rule) -> Report:
        """Add a rule, and return it with its ID.

        :raises Conflict: there are `MAX_RULES` of them
        """
        with self._writing() as connection:
            (count,) = connection.execute("SELECT COUNT(*) FROM rule").fetchone()
            if count >= MAX_RULES:
                raise Conflict(
                    f"fault injection has {count} rules and takes at most {MAX_RULES}, since each call reads "
                    "all of them: remove some"
                )
            return Report(id=_insert(connection, rule), rule=rule, calls=0, hits=0)

    def rules(self, hypervisor: str | None = None, host: str | None = None) -> list[Report]:
        """Return the rules, oldest first.

        :param hypervisor: only rules that name it
        :param host: only rules that name it
        """
        with self._writing() as connection:
            return [*self._named(connection, hypervisor, host)]

    def remove(self, number: int) -> None:
        """Remove a rule. Calls that hang because of it continue.

        :raises EntityNotFound: ``Rule``
        """
        with self._writing() as connection:
            if not 0 < number <= _MAX_NUMBER or not _delete(connection, number):
                raise EntityNotFound("Rule", str(number))

    def remove_rules(self, hypervisor: str | None = None, host: str | None = None) -> None:
        """Remove all rules, or only rules that name a hypervisor or a host."""
        with self._writing() as connection:
            if hypervisor is None and host is None:  # also those that cannot be read
                connection.execute("DELETE FROM rule")
                return
            for report in self._named(connection, hypervisor, host):
                _delete(connection, report.id)

    def calls(self, hypervisor: str | None = None, host: str | None = None) -> list[CallCount]:
        """Return how often each hook was called. Default: for all hypervisors and hosts."""
        with self._writing() as connection:
            return [
                CallCount(hypervisor=hypervisor, host=host, operation=operation, calls=calls)
                for hypervisor, host, operation, calls in connection.execute(
                    _CALLS, (hypervisor, host and host.lower())
                )
            ]

    def forget_calls(self, hypervisor: str | None = None, host: str | None = None) -> None:
        """Reset the counts of calls. Default: for all hypervisors and hosts."""
        with self._writing() as connection:
            connection.execute(_FORGET_CALLS, (hypervisor, host and host.lower()))

    def has(self, number: int) -> bool:
        """Return whether there is a rule with this ID."""
        with self._writing() as connection:
            row = connection.execute("SELECT 1 FROM rule WHERE number = ?", (number,)).fetchone()
            return row is not None

    def count(self, operation: str, arguments: Mapping[str, Any], context: CallContext) -> list[Report]:
        """Count a call, and return the rules that apply to it."""
        applicable = []
        with self._writing() as connection:
            connection.execute(_COUNT_CALL, (context.hypervisor, context.host.lower(), operation))
            for report in self._read(connection):
                if not report.rule.matches(operation, arguments, context):
                    continue
                applies = report.rule.applies(report.calls + 1)
                connection.execute(
                    "UPDATE rule SET calls = calls + 1, hits = hits + ? WHERE number = ?",
                    (applies, report.id),
                )
                if applies:
                    applicable.append(report)
        return applicable

    def _read(self, connection: sqlite3.Connection) -> Iterator[Report]:
        """Yield the rules, oldest first, without those that another version has stored for itself."""
        rows = connection.execute("SELECT number, rule, calls, hits FROM rule ORDER BY number").fetchall()
        for number, stored, calls, hits in rows:
            try:
                rule = _decode(stored)
            except (msgspec.DecodeError, TypeError, ValueError, RecursionError) as error:
                if number not in self._unreadable:
                    self._unreadable.add(number)
                    _log.warning(
                        "rule %d of fault injection is ignored, since this version cannot read it (%s): "
                        "remove it, or use another file",
                        number,
                        error,
                    )
                continue
            yield Report(id=number, rule=rule, calls=calls, hits=hits)

    def _named(
        self, connection: sqlite3.Connection, hypervisor: str | None, host: str | None
    ) -> Iterator[Report]:
        """Yield the rules that name a hypervisor and a host, where these are given."""
        for report in self._read(connection):
            named = report.rule.host and report.rule.host.lower()
            if hypervisor in {None, report.rule.hypervisor} and (host is None or host.lower() == named):
                yield report

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Open the file for a write transaction.

        :raises Busy: others held the file for `_BUSY_SECONDS`, or until the time limit of the operation
        """
        _create_private(self._path)
        busy_seconds = max(_LATE_SECONDS, min(_BUSY_SECONDS, time_left_seconds()))
        with closing(sqlite3.connect(self._path, timeout=busy_seconds, isolation_level=None)) as connection:
            # A crash of the process loses nothing. A crash of the machine may lose the last changes.
            connection.execute("PRAGMA synchronous = OFF")
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                    raise
                raise Busy("the rules of fault injection are locked by another process: try again") from error
            try:
                self._prepare(connection)
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Create the tables in a new file.

        :raises ValueError: the file belongs to another application or another version
        """
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        if (application, version) == (_APPLICATION_ID, _SCHEMA_VERSION):
            return
        (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()
        if tables or application or version:
            raise ValueError(
                f"{self._path} has no rules of this version of fault injection: choose another file"
            )
        for table in _TABLES:
            connection.execute(table)
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
        for rule in self._first_rules:
            _insert(connection, rule)


def _create_private(path: Path) -> None:
    # Only ever a new file: to open and close an existing one would drop SQLite's locks on it in this process
    # (https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_).
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return


def _insert(connection: sqlite3.Connection, rule: Rule) -> int:
    number = connection.execute("INSERT INTO rule (rule) VALUES (?)", (_encode(rule),)).lastrowid
    return int(number or 0)


def _delete(connection: sqlite3.Connection, number: int) -> bool:
    return connection.execute("DELETE FROM rule WHERE number = ?", (number,)).rowcount > 0
