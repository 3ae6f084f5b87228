"""What belongs to an operation of the table, and which of it is missing.

Adding a row is the beginning of an operation; `missing_pieces` says what the rest is.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from project.repository import ROOT
from simplestack.conformance.coverage import WAYS, covered_operations
from simplestack.hookspecs import SPEC_PARAMETERS
from simplestack.operations.model import Operation
from simplestack.plugins.discovery import load_hypervisors
from simplestack.plugins.hypervisor import Hypervisor
from simplestack.server.openapi import openapi_document
from simplestack.server.openapi.examples import read_examples
from simplestack.stack import Stack

_README_NAME = re.compile(r"`([a-z]+_[a-z_]+)`")


class Piece(NamedTuple):
    """Something that an operation needs besides its row."""

    exists: Callable[[Operation], bool]
    #: What to do where it does not; gets the operation's name as ``{name}`` and its hooks as ``{hooks}``.
    advice: str


def pieces() -> list[Piece]:
    """Return everything that an operation needs."""
    hypervisors = {found.name: found for found in load_hypervisors(None)[0]}
    mock = hypervisors["mock"]
    documented = _documented(list(hypervisors.values()))
    covered = covered_operations()
    examples = {name: read_examples(found) for name, found in hypervisors.items()}
    listed = readme_operations()
    return [
        Piece(
            lambda row: all(hook in SPEC_PARAMETERS for hook in row.hooks),
            "{name}: write the hookspec {hooks} in the module of its entity in simplestack/hookspecs/",
        ),
        Piece(
            lambda row: all(hasattr(Stack, hook) for hook in row.hooks),
            "{name}: give Stack, in simplestack/stack.py, the method {hooks}",
        ),
        Piece(
            lambda row: all(map(mock.implements, row.hooks)),
            "{name}: let the mock implement {hooks} in simplestack/mock/hooks/",
        ),
        Piece(
            lambda row: covered.get(row.name, frozenset()) >= set(WAYS),
            '{name}: write a test marked with @drives("{name}") for the kit in simplestack/conformance/',
        ),
        Piece(
            lambda row: documented.get(row.name) == (row.path, row.method),
            "{name}: it is not in the OpenAPI document at its path: see simplestack/server/openapi/",
        ),
        Piece(
            lambda row: all(
                row.name in examples[name]
                for name, found in hypervisors.items()
                if row.name in found.operations or name == "mock"
            ),
            "{name}: add a step to tests/support/examples.py, and record its example with "
            "SIMPLESTACK_RECORD_EXAMPLES=1 for every hypervisor that has it",
        ),
        Piece(
            lambda row: row.name in listed,
            "{name}: name it in the table of operations in README.md",
        ),
    ]


def missing_pieces(operations: Iterable[Operation]) -> list[str]:
    """Return what is missing of the operations, as advice for whoever adds one."""
    needed = pieces()
    return [
        piece.advice.format(name=row.name, hooks=", ".join(row.hooks))
        for row in operations
        for piece in needed
        if not piece.exists(row)
    ]


def readme_operations() -> list[str]:
    """Return the operations that the README's table names."""
    section = (ROOT / "README.md").read_text().partition("## Operations")[2].partition("\n## ")[0]
    return _README_NAME.findall(section.partition("\n\nA plugin")[0])


def _documented(hypervisors: Sequence[Hypervisor]) -> Mapping[str, tuple[str, str]]:
    """Return path and method of each operation in the OpenAPI document."""
    document: dict[str, Any] = openapi_document(hypervisors)
    return {
        name: (path.removeprefix("/{hypervisor}/{host}") or "/", method.upper())
        for path, item in document["paths"].items()
        for method, operation in item.items()
        for name in operation.get("x-simplestack-operations", [])
    }
