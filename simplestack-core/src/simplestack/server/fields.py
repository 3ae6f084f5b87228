"""``?fields=id,name``: fewer fields in the response."""

from typing import Any

from simplestack.errors import InvalidArguments


def parse_fields(text: str, known: frozenset[str]) -> frozenset[str]:
    """Return the requested fields, and ``id`` if the entity has one.

    :param text: value of the query parameter
    :param known: the fields of the entity
    :raises InvalidArguments: a name is empty or unknown
    """
    names = {name.strip() for name in text.split(",")}
    if "" in names:
        raise InvalidArguments(
            f"fields: {text[:100]!r} has an empty name; separate names with one comma, as in fields=id,name, "
            "or omit `fields` to get all"
        )
    unknown = sorted(names - known)
    if unknown:
        raise InvalidArguments(
            f"fields: there is no field {unknown[0][:100]!r}; the fields are {', '.join(sorted(known))}"
        )
    return frozenset(names | ({"id"} & known))


def trimmed(result: Any, fields: frozenset[str]) -> Any:
    """Return an entity, or a list of entities, with only these fields."""
    if isinstance(result, list):
        return [trimmed(item, fields) for item in result]
    return {name: getattr(result, name) for name in result.__struct_fields__ if name in fields}
