"""Put the OpenAPI document together."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from simplestack.docstrings import read_docstring
from simplestack.hookspecs import SPEC_MODULES
from simplestack.operations.model import Operation
from simplestack.operations.table import OPERATIONS
from simplestack.plugins.hypervisor import Hypervisor
from simplestack.server.openapi import pages
from simplestack.server.openapi.components import components
from simplestack.server.openapi.examples import read_examples
from simplestack.server.openapi.failures import share
from simplestack.server.openapi.introduction import introduction
from simplestack.server.openapi.kinds import body_kinds, result_kinds
from simplestack.server.openapi.operations import Describer
from simplestack.server.openapi.optional_fields import mark_optional_fields
from simplestack.server.openapi.schemas import Schemas


def openapi_document(
    hypervisors: Sequence[Hypervisor],
    *,
    base_url: str = "/",
    asks_for_service_token: bool = False,
    metrics_need_token: bool = True,
) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of a service that has these hypervisors.

    With one hypervisor, it has the operations that this hypervisor implements, with its own body and response
    types. Otherwise it has all operations of the contract.

    :param base_url: URL of the service, such as the path prefix of a proxy
    :param asks_for_service_token: whether requests need a service token
    :param metrics_need_token: whether the metrics need it, too
    :raises PluginFault: the examples of a plugin became invalid after it was loaded
    """
    rows = _rows(hypervisors)
    schemas = Schemas(
        bodies=[kind for row in rows for kind in body_kinds(row, hypervisors)],
        results=[*(kind for row in rows for kind in result_kinds(row, hypervisors)), *pages.KINDS],
    )
    mark_optional_fields(schemas, rows, hypervisors)
    describer = Describer(
        hypervisors, rows, {each.name: read_examples(each) for each in hypervisors}, schemas
    )
    paths: dict[str, Any] = {}
    by_place: dict[tuple[str, str], list[Operation]] = {}
    for row in rows:
        by_place.setdefault((row.route, row.method), []).append(row)
    for (path, method), same_place in by_place.items():
        item = paths.setdefault(path, {})
        item[method.lower()] = describer.describe(same_place)
    paths |= pages.paths(
        schemas, _SERVICE_TOKENS if asks_for_service_token else [], metrics_need_token=metrics_need_token
    )
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Simplestack",
            "summary": "One REST API in front of many hypervisors.",
            "version": version("simplestack-core"),
            "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
            "description": introduction(hypervisors, asks_for_service_token=asks_for_service_token),
        },
        "servers": [{"url": base_url}],
        "security": _security(asks_for_service_token=asks_for_service_token),
        "tags": [*_tags(), pages.TAG],
        "paths": paths,
        "components": {
            "responses": share(paths),
            **components(hypervisors, schemas, with_service_token=asks_for_service_token),
        },
    }


_SERVICE_TOKENS: list[dict[str, list[str]]] = [{"service_token": []}, {"first_generation_service_token": []}]


def _rows(hypervisors: Sequence[Hypervisor]) -> tuple[Operation, ...]:
    if len(hypervisors) != 1:
        return OPERATIONS
    return tuple(row for row in OPERATIONS if row.name in hypervisors[0].operations)


def _security(*, asks_for_service_token: bool) -> list[dict[str, list[str]]]:
    hypervisor: dict[str, list[str]] = {"hypervisor_token": []}
    if not asks_for_service_token:
        return [hypervisor]
    return [hypervisor | token for token in _SERVICE_TOKENS]


def _tags() -> list[dict[str, str]]:
    return [
        {"name": module.__name__.rpartition(".")[2], "description": read_docstring(module).summary}
        for module in SPEC_MODULES
    ]
