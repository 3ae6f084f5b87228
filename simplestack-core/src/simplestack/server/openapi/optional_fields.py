"""Say in the document which hypervisors support an optional field. A field that none supports is left out."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from simplestack.operations.model import JsonBody, Operation, StreamBody
from simplestack.operations.optional_fields import OPTIONAL_FIELDS
from simplestack.plugins.hypervisor import Hypervisor
from simplestack.server.openapi.kinds import body_kinds
from simplestack.server.openapi.schemas import Schema, Schemas


def mark_optional_fields(
    schemas: Schemas, rows: Sequence[Operation], hypervisors: Sequence[Hypervisor]
) -> None:
    """Mark the optional fields in the schemas of request bodies."""
    for row in rows:
        if row.name not in OPTIONAL_FIELDS or not isinstance(row.body, JsonBody):
            continue
        for kind in body_kinds(row, hypervisors):
            having = [
                each
                for each in hypervisors
                if each.implements(row.name) and each.bodies.get(row.name, row.body.type) is kind
            ]
            properties = schemas.component(kind)["properties"]
            for name in OPTIONAL_FIELDS[row.name].names:
                marked = _marked(row.name, name, properties.pop(name), having)
                properties |= marked


def query_parameters(row: Operation, hypervisors: Sequence[Hypervisor]) -> list[dict[str, Any]]:
    """Return the query parameters that describe the guest in an image."""
    if not isinstance(row.body, StreamBody):
        return []
    (hook,) = row.hooks
    having = [each for each in hypervisors if each.implements(hook)]
    found = []
    for name, schema in _properties(row.body.query).items():
        for marked in _marked(hook, name, schema, having).values():
            own = {key: its for key, its in marked.items() if key not in ("description", "default", _MARK)}
            description = f"{marked['description']} Only for an image."
            parameter = {"name": name, "in": "query", "description": description, "schema": own}
            found.append({**parameter, _MARK: marked[_MARK]})
    return found


_MARK = "x-simplestack-hypervisors"


def _properties(kind: type[Struct]) -> dict[str, Schema]:
    properties: dict[str, Schema] = Schemas((kind,), ()).component(kind)["properties"]
    return properties


def _marked(hook: str, name: str, schema: Schema, having: Sequence[Hypervisor]) -> dict[str, Schema]:
    """Return the schema of a field by its name, or nothing if no hypervisor supports the field.

    :param having: the hypervisors that implement the hook
    """
    supporting = [each.name for each in having if name in each.optional_fields[hook]]
    if not supporting:
        return {}
    description = schema["description"]
    if len(supporting) < len(having):
        description += f" Supported by: {', '.join(f'`{each}`' for each in supporting)}."
    return {name: {**schema, "description": description, _MARK: supporting}}
