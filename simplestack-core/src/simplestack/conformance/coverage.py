"""Find out which operations the kit tests, without running it."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import simplestack.conformance
from simplestack.conformance.marks import MARKER, ROWS, operations_of

WAYS = ("stack", "http")


def covered_operations() -> dict[str, frozenset[str]]:
    """Return by operation whether tests perform it through ``stack``, ``http`` or both."""
    covered: dict[str, set[str]] = {name: set() for name in ROWS}
    for test in _tests():
        ways = _ways(test)
        for name in driven_by(test):
            for operation in operations_of(name):
                covered[operation.name].update(ways)
    return {name: frozenset(ways) for name, ways in covered.items()}


def driven_by(test: Callable[..., Any]) -> list[str]:
    """Return the names in a test's marks, including the marks of its parameters."""
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
    for info in pkgutil.iter_modules(simplestack.conformance.__path__):
        if info.name.startswith("test_"):
            module = importlib.import_module(f"simplestack.conformance.{info.name}")
            for name, value in vars(module).items():
                if name.startswith("test_") and callable(value):
                    yield value
