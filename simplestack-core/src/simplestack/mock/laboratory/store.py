"""Rules and counts of calls in the database: one transaction for each call, so that the n-th is the n-th."""

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from simplestack import EntityNotFound
from simplestack.mock.laboratory.rules import Report, Rule

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Rule).decode
_READ = "SELECT number, rule, calls, hits FROM laboratory_rule WHERE world = ? ORDER BY number"
_COUNT_CALL = """
INSERT INTO laboratory_call (world, hook, calls) VALUES (?, ?, 1)
ON CONFLICT DO UPDATE SET calls = calls + 1
"""


def add(connection: sqlite3.Connection, world: str, rules: Iterable[Rule]) -> list[int]:
    """Keep rules, and return their ids."""
    insert = "INSERT INTO laboratory_rule (world, rule) VALUES (?, ?)"
    return [int(connection.execute(insert, (world, _encode(rule))).lastrowid or 0) for rule in rules]


def read(connection: sqlite3.Connection, world: str) -> list[Report]:
    """Return a world's rules, oldest first."""
    return [
        Report(id=number, rule=_decode(rule), calls=calls, hits=hits)
        for number, rule, calls, hits in connection.execute(_READ, (world,))
    ]


def exists(connection: sqlite3.Connection, number: int) -> bool:
    """Tell whether a rule has not been removed."""
    found = connection.execute("SELECT 1 FROM laboratory_rule WHERE number = ?", (number,)).fetchone()
    return found is not None


def remove(connection: sqlite3.Connection, world: str, number: int | None = None) -> None:
    """Remove a rule, or all of a world.

    :raises EntityNotFound: ``Rule``
    """
    done = connection.execute(
        "DELETE FROM laboratory_rule WHERE world = ? AND number = IFNULL(?, number)", (world, number)
    )
    if number is not None and not done.rowcount:
        raise EntityNotFound("Rule", str(number))


def forget(connection: sqlite3.Connection, world: str) -> None:
    """Remove a world's rules and counts."""
    for table in ("laboratory_rule", "laboratory_call"):
        connection.execute(f"DELETE FROM {table} WHERE world = ?", (world,))  # noqa: S608  names of our own


def calls(connection: sqlite3.Connection, world: str) -> dict[str, int]:
    """Return how often each hook was called."""
    counted = "SELECT hook, calls FROM laboratory_call WHERE world = ? ORDER BY hook"
    return dict(connection.execute(counted, (world,)).fetchall())


def count(
    connection: sqlite3.Connection, world: str, hook: str, arguments: Mapping[str, Any]
) -> list[Report]:
    """Count a call, and return the rules that happen to it. The caller holds a transaction."""
    connection.execute(_COUNT_CALL, (world, hook))
    due = []
    for report in read(connection, world):
        if not report.rule.matches(hook, arguments):
            continue
        is_due = report.rule.is_due(report.calls + 1)
        connection.execute(
            "UPDATE laboratory_rule SET calls = calls + 1, hits = hits + ? WHERE number = ?",
            (is_due, report.id),
        )
        if is_due:
            due.append(report)
    return due
