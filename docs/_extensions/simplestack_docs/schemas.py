"""JSON Schemas in words: the types of fields, and their limits."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from docutils import nodes

from simplestack.entities.limits import (
    HOST_NAME_PATTERN,
    MAC_PATTERN,
    NAME_OR_EMPTY_PATTERN,
    NAME_PATTERN,
    TEXT_PATTERN,
)
from simplestack.server.openapi.schemas import ecma_pattern
from simplestack_docs.prose import Cell, Link, inline, no_link, table

Schema = Mapping[str, Any]

_REFERENCE = "#/components/schemas/"
#: Words for regular expressions. The page says once that names have no control characters.
_PATTERNS = {
    ecma_pattern(NAME_PATTERN): "",
    ecma_pattern(NAME_OR_EMPTY_PATTERN): "",
    ecma_pattern(MAC_PATTERN): "six octets with colons",
    ecma_pattern(HOST_NAME_PATTERN): "labels of letters, digits and hyphens, with dots",
    ecma_pattern(TEXT_PATTERN): "without control characters other than newline and tab",
}


def fields_table(schema: Schema, *, is_body: bool, link: Link = no_link) -> nodes.table:
    """Return a table of an object's fields.

    :param is_body: whether it is a request body: then the table says which fields are required
    """
    required = set(schema.get("required", ()))
    rows: list[list[Cell]] = []
    for name, field in schema["properties"].items():
        row: list[Cell] = [[nodes.literal(name, name)], inline(kind(field), link)]
        if is_body:
            row.append([nodes.Text("yes" if name in required else "no")])
        rows.append([*row, inline(field.get("description", ""), link)])
    heads = ("field", "type", "required", "meaning") if is_body else ("field", "type", "meaning")
    return table(heads, rows)


def kind(schema: Schema) -> str:
    """Return in words what a value is: ``integer, 1 to 4096, or null``."""
    match schema:
        case {"$ref": str(reference)}:
            text = f"`{reference.removeprefix(_REFERENCE)}`"
        case {"anyOf": choices}:
            text = ", or ".join(kind(choice) for choice in choices)
        case {"const": value}:
            text = f"`{json.dumps(value)}`"
        case {"enum": values}:
            text = " or ".join(f"`{json.dumps(value)}`" for value in values)
        case {"type": "array", "items": items}:
            text = f"list of {kind(items)}"
        case {"type": "object", "additionalProperties": {} as values}:
            text = f"object of {kind(values)}"
        case {"type": "null"}:
            text = "`null`"
        case {"type": str(name)}:
            text = ", ".join([name, *filter(None, _limits(schema))])
        case _:
            text = "any value"
    return text


def _limits(schema: Schema) -> Iterator[str]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if "exclusiveMinimum" in schema:
        yield f"above {schema['exclusiveMinimum']:,}"
    if low is not None and high is not None:
        yield f"{low:,} to {high:,}"
    elif low is not None:
        yield f"at least {low:,}"
    elif high is not None:
        yield f"at most {high:,}"
    if "minLength" in schema:
        yield f"{schema['minLength']:,} to {schema['maxLength']:,} characters"
    elif "maxLength" in schema:
        yield f"at most {schema['maxLength']:,} characters"
    if "pattern" in schema:
        yield _PATTERNS.get(schema["pattern"], f"`{schema['pattern']}`")
