"""``?fields=id,name``: fewer members in the answer."""

from typing import Any

import falcon

from simplestack.errors import InvalidArguments


def read_fields(request: falcon.Request, members: frozenset[str]) -> frozenset[str] | None:
    """Return the members that the client asks for, ``id`` always among them; None when it wants all.

    :param members: those there are
    :raises InvalidArguments: one of them does not exist
    """
    if "fields=" not in request.query_string:
        return None
    asked = request.get_param("fields")
    if not asked:
        return None
    names = frozenset(name.strip() for name in asked.split(",") if name.strip())
    unknown = sorted(names - members)
    if unknown:
        raise InvalidArguments(
            f"fields: no member {unknown[0]!r}; there are: {', '.join(sorted(members)) or 'none'}"
        )
    return names | ({"id"} & members)


def trimmed(result: Any, fields: frozenset[str]) -> Any:
    """Return an entity, or a list of them, with some of its members only."""
    if isinstance(result, list):
        return [trimmed(item, fields) for item in result]
    return {name: getattr(result, name) for name in result.__struct_fields__ if name in fields}
