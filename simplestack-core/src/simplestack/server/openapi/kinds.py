"""The body and response types of an operation: core's, and the plugins' own subclasses."""

from collections.abc import Sequence
from typing import Any, get_origin

from msgspec import Struct

from simplestack.entities.guest import ActionResult
from simplestack.entities.transfer import Export
from simplestack.operations.model import JsonBody, Operation
from simplestack.plugins.hypervisor import Hypervisor
from simplestack.plugins.plugin_types import entity_of


def body_kinds(operation: Operation, hypervisors: Sequence[Hypervisor]) -> list[type[Struct]]:
    """Return the structs that validate an operation's JSON body, without duplicates."""
    if not isinstance(operation.body, JsonBody):
        return []
    core_kind = operation.body.type
    kinds = [each.bodies.get(operation.name, core_kind) for each in _having(operation, hypervisors)]
    return list(dict.fromkeys(kinds)) or [core_kind]


def result_kinds(operation: Operation, hypervisors: Sequence[Hypervisor]) -> list[Any]:
    """Return the types of an operation's JSON response, without duplicates."""
    if operation.response is not None:
        return [ActionResult]
    if operation.result is None or operation.result is Export:
        return []
    core_kind = entity_of(operation.result)
    if core_kind is None:
        return [operation.result]
    hook = operation.hooks[0]
    entities = [each.entities.get(hook, core_kind) for each in _having(operation, hypervisors)]
    distinct = list(dict.fromkeys(entities)) or [core_kind]
    if get_origin(operation.result) is list:
        return [list[entity] for entity in distinct]  # type: ignore[valid-type]  # made while running
    return distinct


def _having(operation: Operation, hypervisors: Sequence[Hypervisor]) -> list[Hypervisor]:
    return [hypervisor for hypervisor in hypervisors if operation.name in hypervisor.operations]
