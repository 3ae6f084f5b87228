"""The OpenAPI document of the installed hypervisors, the source of the REST reference."""

import functools
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from docutils import nodes

from simplestack.operations.table import OPERATIONS
from simplestack.server.openapi import openapi_document
from simplestack_docs.installed import hypervisors

#: One error in the description of an error response.
_REASON = re.compile(r"^- `(?P<name>\w+)`: (?P<when>.*)$", re.MULTILINE)

Reason = tuple[int, str, str]


@functools.cache
def document() -> Mapping[str, Any]:
    """Return the OpenAPI document that the pages show."""
    return openapi_document(hypervisors())


def operations() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield method, path and operation object of the operations below the base path."""
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            if "x-simplestack-operations" in operation:
                yield method.upper(), path, operation


def reasons(operation: Mapping[str, Any]) -> list[Reason]:
    """Return how an operation can fail: status, error and when."""
    found = []
    for status, response in operation["responses"].items():
        if status >= "400":
            shared = document()["components"]["responses"][response["$ref"].rpartition("/")[2]]
            found += [
                (int(status), match["name"], match["when"])
                for match in _REASON.finditer(shared["description"])
            ]
    return found


@functools.cache
def common_reasons() -> frozenset[Reason]:
    """Return how every operation can fail, in the words that most of them have for it."""
    every = [reasons(operation) for *_, operation in operations()]
    common = frozenset.intersection(
        *(frozenset((status, name) for status, name, _ in found) for found in every)
    )
    counted = Counter(reason for found in every for reason in found if reason[:2] in common)
    return frozenset(max((r for r in counted if r[:2] == pair), key=counted.__getitem__) for pair in common)


def link(name: str) -> nodes.Node | None:
    """Link the name of an operation or of an entity to its section of the page."""
    names = {row.name for row in OPERATIONS} | document()["components"]["schemas"].keys()
    if name not in names:
        return None
    return nodes.reference("", "", nodes.literal(name, name), internal=True, refid=name)
