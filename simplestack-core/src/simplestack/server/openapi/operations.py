"""The operations of the REST contract as OpenAPI operation objects."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from msgspec import UNSET

from simplestack.docstrings import read_docstring
from simplestack.entities.transfer import Export
from simplestack.hookspecs import SPEC_MODULES, SPEC_PARAMETERS
from simplestack.operations.model import JsonBody, Operation
from simplestack.plugins.examples import Example
from simplestack.plugins.hypervisor import Hypervisor
from simplestack.plugins.plugin_types import entity_of
from simplestack.server.openapi.failures import failures
from simplestack.server.openapi.kinds import body_kinds, result_kinds
from simplestack.server.openapi.links import links, parameters
from simplestack.server.openapi.optional_fields import query_parameters
from simplestack.server.openapi.schemas import Schema, Schemas

BINARY = "application/octet-stream"
JSON = "application/json"
#: `format` is for generators of clients, which take a stream for a text otherwise.
_STREAM: Schema = {"type": "string", "format": "binary", "contentMediaType": BINARY, "minLength": 1}

SPECS: Mapping[str, Callable[..., Any]] = {
    name: vars(module)[name] for module in SPEC_MODULES for name in SPEC_PARAMETERS if name in vars(module)
}
#: Descriptions of the path parameters.
PATH_PARAMETERS = {
    "host_id": "ID of a host of the pool.",
    "storage_id": "ID of a storage.",
    "guest_id": "ID of a guest.",
    "disk_id": "ID of a disk of this guest.",
    "network_id": "ID of a network.",
    "interface_id": "MAC address of a network interface of this guest, in upper or lower case.",
    "snapshot_id": "ID of a snapshot of this guest.",
    "name": "A tag of this guest.",
}


@dataclass(frozen=True, slots=True)
class Describer:
    """Makes OpenAPI operation objects for some hypervisors."""

    hypervisors: Sequence[Hypervisor]
    #: All that the document has.
    rows: Sequence[Operation]
    #: By hypervisor and operation.
    examples: Mapping[str, Mapping[str, Example]]
    schemas: Schemas

    def describe(self, rows: Sequence[Operation]) -> dict[str, Any]:
        """Return the operation object for rows with the same method and path."""
        first = rows[0]
        hooks = list(dict.fromkeys(hook for row in rows for hook in row.hooks))
        specs = [SPECS[hook] for hook in hooks]
        described: dict[str, Any] = {
            "operationId": first.name,
            "tags": [tag_of(first)],
            "summary": _summary(rows),
            "description": _description(hooks, is_named=len(rows) > 1),
            "x-simplestack-operations": [row.name for row in rows],
            "x-simplestack-hypervisors": {
                row.name: [each.name for each in self.hypervisors if row.name in each.operations]
                for row in rows
            },
            "parameters": self._parameters(rows),
        }
        content = {media: its for row in rows for media, its in self._body(row).items()}
        if content:
            required = all(row.body.required for row in rows if isinstance(row.body, JsonBody))
            described["requestBody"] = {"required": required, "content": content}
        described["responses"] = {str(first.status): self._success(rows), **failures(rows, specs)}
        return described

    def _parameters(self, rows: Sequence[Operation]) -> list[dict[str, Any]]:
        all_parameters = [_parameter("hypervisor"), _parameter("host")]
        for name in parameters(rows[0].path):
            parameter = {
                "name": name,
                "in": "path",
                "required": True,
                "description": PATH_PARAMETERS[name],
                "schema": {"$ref": "#/components/schemas/Id"},
            }
            values = {
                hypervisor: {"value": example.parameters[name]}
                for hypervisor, example in self._examples_of(rows)
                if name in example.parameters
            }
            all_parameters.append({**parameter, "examples": values} if values else parameter)
        fields = {
            field
            for row in rows
            for kind in result_kinds(row, self.hypervisors)
            if (entity := entity_of(kind)) is not None and entity_of(row.result) is not None
            for field in entity.__struct_fields__
        }
        if fields:
            reference = self.schemas.add(f"{_entity_name(rows)}Field", _field_names(sorted(fields)))
            all_parameters.append(_fields(reference))
        all_parameters += [its for row in rows for its in query_parameters(row, self.hypervisors)]
        return [*all_parameters, _parameter("request_id")]

    def _body(self, row: Operation) -> dict[str, Any]:
        if row.body is None:
            return {}
        if not isinstance(row.body, JsonBody):
            return {BINARY: {"schema": _STREAM}}
        schema = _any_of([self.schemas.of(kind) for kind in body_kinds(row, self.hypervisors)])
        values = {
            hypervisor: {"value": example.request}
            for hypervisor, example in self._examples_of([row])
            if example.request is not UNSET
        }
        return {JSON: {"schema": schema, "examples": values} if values else {"schema": schema}}

    def _success(self, rows: Sequence[Operation]) -> dict[str, Any]:
        first = rows[0]
        headers = {
            "X-Request-Id": {"$ref": "#/components/headers/RequestId"},
            "X-Simplestack-Warning": {"$ref": "#/components/headers/Warning"},
        }
        if first.location is not None:
            headers["Location"] = {"$ref": "#/components/headers/Location"}
        response = {"description": _returns(first), "headers": headers}
        kinds = [kind for row in rows for kind in result_kinds(row, self.hypervisors)]
        if first.result is Export:
            response["content"] = {BINARY: {"schema": _STREAM}}
        elif kinds:
            response["content"] = {JSON: self._json_content(rows, list(dict.fromkeys(kinds)))}
        linked = links(first, self.rows)
        return {**response, "links": linked} if linked else response

    def _json_content(self, rows: Sequence[Operation], kinds: Sequence[Any]) -> dict[str, Any]:
        schemas = [self.schemas.of(kind) for kind in kinds]
        if entity_of(rows[0].result) is not None:
            schemas += [self._trimmed(kind) for kind in kinds]
        values = {
            hypervisor: {"value": example.response}
            for hypervisor, example in reversed(self._examples_of(rows))
            if example.response is not UNSET
        }
        return {"schema": _any_of(schemas), "examples": values} if values else {"schema": _any_of(schemas)}

    def _trimmed(self, kind: Any) -> Schema:
        if get_origin(kind) is list:
            return {"type": "array", "items": self._trimmed(get_args(kind)[0])}
        return self.schemas.trimmed(kind)

    def _examples_of(self, rows: Sequence[Operation]) -> list[tuple[str, Example]]:
        return [
            (hypervisor, its[row.name])
            for row in rows
            for hypervisor, its in self.examples.items()
            if row.name in its
        ]


def tag_of(row: Operation) -> str:
    """Return the tag of an operation: the name of the module of its first hookspec."""
    return SPECS[row.hooks[0]].__module__.rpartition(".")[2]


def _parameter(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/parameters/{name}"}


def _entity_name(rows: Sequence[Operation]) -> str:
    """Return the name of core's entity that rows with the same method and path return."""
    (name,) = {entity.__name__ for row in rows if (entity := entity_of(row.result)) is not None}
    return name


def _field_names(names: list[str]) -> Schema:
    return {"description": "Name of a field for `?fields=`.", "type": "string", "enum": names}


def _fields(name: Schema) -> dict[str, Any]:
    return {
        "name": "fields",
        "in": "query",
        "description": "Comma-separated list of fields to return. Default: all. `id` is always returned. "
        "Fewer fields can make the response faster.",
        "style": "form",
        "explode": False,
        "schema": {"type": "array", "items": name, "minItems": 1},
    }


def _summary(rows: Sequence[Operation]) -> str:
    """Return what the rows do, a plain sentence for each: OpenAPI allows Markdown only in descriptions."""
    texts = [row.summary or read_docstring(SPECS[row.hooks[0]]).summary for row in rows]
    return " ".join(_sentences(text)[0] for text in texts).replace("`", "")


def _sentences(text: str) -> tuple[str, str]:
    """Return the first sentence, and the others."""
    first, *others = re.split(r"(?<=\.) ", text, maxsplit=1)
    return first, "".join(others)


def _returns(row: Operation) -> str:
    text = read_docstring(SPECS[row.hooks[0]]).returns
    return f"{text[0].upper()}{text[1:]}." if text else "Success."


def _description(hooks: Sequence[str], *, is_named: bool) -> str:
    """Return the docstrings of the hooks without the paragraphs for plugins.

    The first sentence of a single hook is left out: it is the summary of the operation.

    :param is_named: whether the hooks are operations that clients know by name
    """
    paragraphs: list[str] = []
    for hook in hooks:
        doc = read_docstring(SPECS[hook])
        if len(hooks) == 1:
            paragraphs.append(_sentences(doc.summary)[1])
        else:
            paragraphs.append(f"`{hook}`: {doc.summary}" if is_named else doc.summary)
        paragraphs += [text for text in doc.description.split("\n\n") if not text.startswith("Plugins:")]
    return "\n\n".join(filter(None, paragraphs))


def _any_of(schemas: Sequence[Schema]) -> Schema:
    return schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}
