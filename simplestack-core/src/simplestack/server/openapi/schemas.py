"""JSON Schemas of request and response bodies."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import Struct

from simplestack.docstrings import field_comments, markdown

Schema = dict[str, Any]

_REFERENCE = "#/components/schemas/"


class Schemas:
    """The schemas of all types in the document, and references to them.

    In a response, all fields are required; a response to ``?fields=`` has its own schema. In a request,
    fields with a default are optional. Descriptions say the default: where a schema has it, generated clients
    have the field as required.
    """

    def __init__(self, bodies: Iterable[Any], results: Iterable[Any]) -> None:
        """Make the schemas.

        :param bodies: types of request bodies
        :param results: types of responses: entities, or lists of entities
        """
        bodies, results = tuple(dict.fromkeys(bodies)), tuple(dict.fromkeys(results))
        structs = tuple(dict.fromkeys(struct for kind in (*bodies, *results) for struct in _structs(kind)))
        asked = (*bodies, *results, *structs)
        schemas, self.components = msgspec.json.schema_components(asked, ref_template=f"{_REFERENCE}{{name}}")
        self._by_type: dict[Any, Schema] = dict(zip(asked, schemas, strict=True))
        returned = {struct for kind in results for struct in _structs(kind)}
        for struct in structs:
            self._complete(struct, is_response=struct in returned)
        for schema in self.components.values():
            schema["description"] = markdown(schema.get("description", ""))
        _translate_patterns(self.components)
        _translate_patterns(self._by_type)

    def of(self, kind: Any) -> Schema:
        """Return the schema of a type."""
        return self._by_type[kind]

    def component(self, struct: type[Struct]) -> Schema:
        """Return the schema of a struct itself, to change it."""
        component: Schema = self.components[self._name(struct)]
        return component

    def add(self, name: str, schema: Schema) -> Schema:
        """Add a schema with a name, and return the reference to it."""
        self.components[name] = {"title": name, **schema}
        return {"$ref": f"{_REFERENCE}{name}"}

    def trimmed(self, struct: type[Struct]) -> Schema:
        """Return the schema of an entity with only the fields that ``?fields=`` lists."""
        whole = self.components[self._name(struct)]
        return self.add(
            f"{self._name(struct)}Fields",
            {
                "description": f"The fields of {self._name(struct)} that `?fields=` lists.",
                "type": "object",
                "properties": whole["properties"],
                "required": ["id"] if "id" in whole["properties"] else [],
            },
        )

    def _name(self, struct: type[Struct]) -> str:
        return str(self._by_type[struct]["$ref"]).removeprefix(_REFERENCE)

    def _complete(self, struct: type[Struct], *, is_response: bool) -> None:
        schema = self.components[self._name(struct)]
        comments = field_comments(struct)
        for field, its in schema["properties"].items():
            default = its.pop("default", None)
            words = [comments[field]] if field in comments else []
            if default not in (None, "", [], {}) and not is_response:
                words.append(f"Default: `{json.dumps(default)}`.")
            if words:
                schema["properties"][field] = {**its, "description": " ".join(words)}
        if is_response:
            schema["required"] = list(schema["properties"])


def ecma_pattern(pattern: str) -> str:
    r"""Convert a regular expression to ECMA-262, as in JSON Schema: ``^`` for ``\A``, ``$`` for ``\Z``."""
    return re.sub(r"\A\\A", "^", re.sub(r"\\Z\Z", "$", pattern))


def _structs(kind: Any) -> Iterator[type[Struct]]:
    """Yield the structs in a type, including the type itself."""
    seen: set[type[Struct]] = set()
    waiting = [msgspec.inspect.type_info(kind)]
    while waiting:
        match waiting.pop():
            case msgspec.inspect.StructType(cls=struct, fields=fields):
                if struct not in seen:
                    seen.add(struct)
                    waiting += [field.type for field in fields]
                    yield struct
            case msgspec.inspect.UnionType(types=types):
                waiting += types
            case msgspec.inspect.CollectionType(item_type=item):
                waiting.append(item)
            case msgspec.inspect.DictType(value_type=value):
                waiting.append(value)
            case _:
                pass


def _translate_patterns(schema: Any) -> None:
    """Convert the regular expressions in a schema for JSON Schema."""
    match schema:
        case dict():
            for key, value in schema.items():
                if key == "pattern" and isinstance(value, str):
                    schema[key] = ecma_pattern(value)
                else:
                    _translate_patterns(value)
        case list() | tuple():
            for item in schema:
                _translate_patterns(item)
        case _:
            pass
