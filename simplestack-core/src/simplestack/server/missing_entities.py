"""Say more about a missing ID or name: where the client sent it, and what belongs there."""

import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from msgspec import Struct

from simplestack.docstrings import field_comments
from simplestack.errors import EntityNotFound, SimplestackError
from simplestack.operations.model import Operation
from simplestack.operations.table import OPERATIONS

_log = logging.getLogger("simplestack.server")

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
#: The operation that lists an entity, by the entity's name in errors.
_LISTS = {
    "".join(map(str.capitalize, operation.name.removesuffix("_list").split("_"))): operation
    for operation in OPERATIONS
    if operation.name.endswith("_list")
}
#: What clients call an entity that a field names, if it has a word of its own there.
_KINDS = {"template": "Template"}
_MOST_IDS = 5


class Inventory(Protocol):
    """What the request's host has."""

    def path_of(self, listing: Operation) -> str | None:
        """Return the path of a list, as the client would write it; None if the plugin lacks the list."""

    def ids_of(self, listing: Operation, name: str) -> list[str]:
        """List entities, and return the IDs of those with a name. This calls the hypervisor."""

    def setting_with(self, value: str) -> str | None:
        """Return the name of the plugin's setting with a value; None if there is none."""


def explain(error: EntityNotFound, ids: Mapping[str, str], sent: Struct | None, inventory: Inventory) -> None:
    """Say more in an error's message, if there is something to add.

    :param ids: the IDs in the request's path, by name
    :param sent: the request's body, or the description in its query
    """
    missing = error.entity_id
    if not missing:
        return  # an error of fault injection, which has only a message
    what, more = str(error.args[0]), None  # not the message: an error may be raised twice
    listing = _LISTS.get(error.entity)
    if missing in ids.values():
        if listing is not None:
            more = _what_is_there(error.entity, missing, listing, inventory)
    else:
        places = [] if sent is None else list(_places(sent, missing))
        for kind, field, path in places:
            more = _what_belongs(kind, field, path)
            if more is None:
                continue
            what = f"{_KINDS.get(field, error.entity)}:{missing} not found"
            if listing is not None and field not in _KINDS and (where := inventory.path_of(listing)):
                more += f"; GET {where} lists them"
            break
        # What a client has sent is not compared with settings: it could guess their values.
        if not places and (setting := inventory.setting_with(missing)):
            more = f"the setting `{setting}` of this service names it; ask its operator to change it"
    if more is not None:
        error.message = f"{what}: {more}"


def _what_is_there(entity: str, missing: str, listing: Operation, inventory: Inventory) -> str | None:
    """Return the ID of the entity that a client has named in a path, or where to find IDs."""
    path = inventory.path_of(listing)
    if path is None:
        return None
    words = _words(entity)
    named = [] if _UUID.fullmatch(missing) else _ids_of(listing, missing, inventory)
    if len(named) > 1:
        return f"several {words}s are named {missing!r}: use one of their IDs, {', '.join(named[:_MOST_IDS])}"
    if named:
        return f"the {words} named {missing!r} has the ID {named[0]}: use the ID"
    if entity == "Guest":  # the message of the first generation, which clients may compare
        return None
    return f"GET {path} lists the {words}s"


def _words(entity: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", entity).lower()


def _ids_of(listing: Operation, name: str, inventory: Inventory) -> list[str]:
    try:
        return inventory.ids_of(listing, name)
    except SimplestackError:
        return []
    except Exception:  # a defect of a plugin, which must not hide that the entity is not there
        _log.exception("%s failed, for an error message", listing.name)
        return []


def _what_belongs(kind: type[Struct], field: str, path: str) -> str | None:
    """Return what a field takes, by its comment in the sources, which is its description for clients."""
    sentence = field_comments(kind).get(field, "").partition(". ")[0].rstrip(".")
    if not sentence.startswith(("ID", "Name")):
        return None
    takes = sentence if sentence.startswith("ID") else f"n{sentence[1:]}"
    return f"`{path}` takes the {takes}"


def _places(sent: Struct, text: str, path: str = "") -> Iterator[tuple[type[Struct], str, str]]:
    """Yield where a struct has a text: the struct, the field and its path."""
    for field in sent.__struct_fields__:
        yield from _places_in(getattr(sent, field), text, (type(sent), field, f"{path}{field}"))


def _places_in(
    value: Any, text: str, place: tuple[type[Struct], str, str]
) -> Iterator[tuple[type[Struct], str, str]]:
    kind, field, path = place
    if value == text:
        yield place
    elif isinstance(value, Struct):
        yield from _places(value, text, f"{path}.")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            own_path = f"{path}[{index}]" if isinstance(item, Struct) else path
            yield from _places_in(item, text, (kind, field, own_path))
