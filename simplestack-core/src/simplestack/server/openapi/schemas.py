"""JSON Schemas of bodies and answers."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import Struct

from simplestack.docstrings import markdown, member_comments

Schema = dict[str, Any]

_REFERENCE = "#/components/schemas/"


class Schemas:
    """The schemas of all types in the document, by reference, and their definitions.

    An answer has all its members, always; only ``?fields=`` leaves some out, and its answer has a schema of
    its own. In a body, members with defaults may be left out.
    """

    def __init__(self, bodies: Iterable[Any], results: Iterable[Any]) -> None:
        """Describe types.

        :param bodies: what clients send
        :param results: what they get; entities, or lists of them
        """
        bodies, results = tuple(dict.fromkeys(bodies)), tuple(dict.fromkeys(results))
        structs = tuple(dict.fromkeys(found for kind in (*bodies, *results) for found in _structs(kind)))
        asked = (*bodies, *results, *structs)
        schemas, self.components = msgspec.json.schema_components(asked, ref_template=f"{_REFERENCE}{{name}}")
        self._by_type: dict[Any, Schema] = dict(zip(asked, schemas, strict=True))
        answered = {found for kind in results for found in _structs(kind)}
        for struct in structs:
            self._complete(struct, is_answer=struct in answered)
        for schema in self.components.values():
            schema["description"] = markdown(schema.get("description", ""))
        _translate_patterns(self.components)
        _translate_patterns(self._by_type)

    def of(self, kind: Any) -> Schema:
        """Return the schema of a type."""
        return self._by_type[kind]

    def trimmed(self, struct: type[Struct]) -> Schema:
        """Return the schema of an entity of which ``?fields=`` chose members."""
        name = f"{self._name(struct)}Fields"
        whole = self.components[self._name(struct)]
        self.components[name] = {
            "title": name,
            "description": f"Some members of {self._name(struct)}, as `?fields=` chose them.",
            "type": "object",
            "properties": whole["properties"],
            "required": ["id"] if "id" in whole["properties"] else [],
        }
        return {"$ref": f"{_REFERENCE}{name}"}

    def _name(self, struct: type[Struct]) -> str:
        return str(self._by_type[struct]["$ref"]).removeprefix(_REFERENCE)

    def _complete(self, struct: type[Struct], *, is_answer: bool) -> None:
        schema = self.components[self._name(struct)]
        comments = member_comments(struct)
        for member, its in schema["properties"].items():
            if is_answer:
                its.pop("default", None)
            if member in comments:
                schema["properties"][member] = {**its, "description": comments[member]}
        if is_answer:
            schema["required"] = list(schema["properties"])
        schema.update(getattr(struct, "schema_rules", {}))


def ecma_pattern(pattern: str) -> str:
    r"""Return a regular expression as ECMA-262 has it, which JSON Schema wants: no ``\A``, no ``\Z``."""
    return re.sub(r"\A\\A", "^", re.sub(r"\\Z\Z", "$", pattern))


def _structs(kind: Any) -> Iterator[type[Struct]]:
    """Yield the structs that a type is made of, itself included."""
    seen: set[type[Struct]] = set()
    waiting = [msgspec.inspect.type_info(kind)]
    while waiting:
        match waiting.pop():
            case msgspec.inspect.StructType(cls=found, fields=fields):
                if found not in seen:
                    seen.add(found)
                    waiting += [field.type for field in fields]
                    yield found
            case msgspec.inspect.UnionType(types=types):
                waiting += types
            case msgspec.inspect.CollectionType(item_type=item):
                waiting.append(item)
            case msgspec.inspect.DictType(value_type=value):
                waiting.append(value)
            case _:
                pass


def _translate_patterns(schema: Any) -> None:
    """Write regular expressions as JSON Schema wants them."""
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
