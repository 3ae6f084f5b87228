"""Which operations the kit drives, found out without running it."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import simplestack.conformance
from simplestack.conformance.marks import MARKER, ROWS, operations_of

WAYS = ("stack", "http")


def covered_operations() -> dict[str, frozenset[str]]:
    """Return, for each operation of the table, the ways (``stack``, ``http``) by which a test drives it."""
    covered: dict[str, set[str]] = {name: set() for name in ROWS}
    for test in _tests():
        ways = _ways(test)
        for name in driven_by(test):
            for operation in operations_of(name):
                covered[operation.name].update(ways)
    return {name: frozenset(ways) for name, ways in covered.items()}


def driven_by(test: Callable[..., Any]) -> list[str]:
    """Return what a test is marked with, the marks of its parameters included."""
    names: list[str] = []
    for mark in getattr(test, "pytestmark", []):
        if mark.name == MARKER:
            names += mark.args
        elif mark.name == "parametrize":
            for values in mark.args[1]:
                names += [
                    name
                    for inner in getattr(values, "marks", ())
                    if inner.name == MARKER
                    for name in inner.args
                ]
    return names


def _ways(test: Callable[..., Any]) -> tuple[str, ...]:
    parameters = inspect.signature(test).parameters
    if "client" in parameters:
        return WAYS
    return ("http",) if "http" in parameters else ()


def _tests() -> Iterator[Callable[..., Any]]:
    for found in pkgutil.iter_modules(simplestack.conformance.__path__):
        if found.name.startswith("test_"):
            module = importlib.import_module(f"simplestack.conformance.{found.name}")
            for name, member in vars(module).items():
                if name.startswith("test_") and callable(member):
                    yield member
