"""OpenAPI links: the requests that can follow a response."""

import re
from collections.abc import Sequence
from typing import Any

from simplestack.operations.model import JsonBody, Operation
from simplestack.plugins.plugin_types import entity_of

_PARAMETER = re.compile(r"{(\w+)}")


def links(operation: Operation, rows: Sequence[Operation]) -> dict[str, Any]:
    """Return the OpenAPI links of an operation, by the name of the linked operation.

    A created entity links to all its operations, and a list links to its items.

    :param rows: the operations of the document
    """
    if operation.location is not None:
        return _from_created(operation, operation.location, rows)
    if operation.method == "GET" and operation.name.endswith("_list") and entity_of(operation.result):
        return _from_list(operation, rows)
    return {}


def parameters(path: str) -> list[str]:
    """Return the names of the parameters in a path, in their order."""
    return _PARAMETER.findall(path)


def _from_created(operation: Operation, location: str, rows: Sequence[Operation]) -> dict[str, Any]:
    named = "name" if isinstance(operation.body, JsonBody) and not entity_of(operation.result) else "id"
    source = f"$request.body#/{named}" if named == "name" else "$response.body#/id"
    inherited = {name: f"$request.path.{name}" for name in parameters(operation.path)}
    pattern = re.compile(re.sub(r"{\w+}", r"{\\w+}", location) + r"(/|\Z)")
    linked = {}
    for other in rows:
        names = parameters(other.path)
        if pattern.match(other.path) and len(names) == len(parameters(location)):
            linked[other.name] = _link(other, inherited | {names[-1]: source})
    return linked


def _from_list(operation: Operation, rows: Sequence[Operation]) -> dict[str, Any]:
    inherited = {name: f"$request.path.{name}" for name in parameters(operation.path)}
    item = re.compile(re.escape(operation.path) + r"/{\w+}\Z")
    return {
        other.name: _link(other, inherited | {parameters(other.path)[-1]: "$response.body#/0/id"})
        for other in rows
        if other.method == "GET" and item.match(other.path)
    }


def _link(operation: Operation, known: dict[str, str]) -> dict[str, Any]:
    everywhere = {"hypervisor": "$request.path.hypervisor", "host": "$request.path.host"}
    wanted = parameters(operation.path)
    return {
        "operationId": operation.name,
        "parameters": {**everywhere, **{name: known[name] for name in wanted}},
    }
