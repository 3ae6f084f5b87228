"""Say more about a missing ID or name: where the client sent it, and what belongs there."""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from simplestack.docstrings import field_comments
from simplestack.entities.guest import Guest
from simplestack.errors import EntityNotFound, SimplestackError

_log = logging.getLogger("simplestack.server")

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
#: Operations that list what a field names, by entity.
_LISTS = {"Network": "networks", "Storage": "storages"}
_MOST_IDS = 5


def explain(
    error: EntityNotFound,
    ids: Mapping[str, str],
    sent: Struct | None,
    base: str,
    list_guests: Callable[[], Iterable[Guest]],
) -> None:
    """Say more in an error's message, if there is something to add.

    :param ids: the IDs in the request's path, by name
    :param sent: the request's body, or the description in its query
    :param base: ``/hypervisor/host``, as the client wrote it
    :param list_guests: lists the guests, which takes time; it is called for a guest's name instead of its ID
    """
    missing = error.entity_id
    more: str | None = None
    if not missing:
        return  # an error of fault injection, which has only a message
    if missing in ids.values():
        if error.entity == "Guest" and not _UUID.fullmatch(missing):
            more = _guests_named(missing, list_guests)
    elif sent is not None:
        more = next((_what_belongs(error.entity, base, *place) for place in _places(sent, missing)), None)
    if more is not None:
        error.message = f"{error.args[0]}: {more}"  # an error may be raised twice


def _guests_named(name: str, list_guests: Callable[[], Iterable[Guest]]) -> str | None:
    try:
        named = [guest.id for guest in list_guests() if guest.name == name]
    except SimplestackError:
        return None
    except Exception:  # a defect of a plugin, which must not hide that the guest is not there
        _log.exception("cannot list guests for an error message")
        return None
    if not named:
        return None
    if len(named) > 1:
        return f"several guests are named {name!r}: use one of their IDs, {', '.join(named[:_MOST_IDS])}"
    return f"the guest named {name!r} has the ID {named[0]}: use the ID"


def _what_belongs(entity: str, base: str, kind: type[Struct], field: str, path: str) -> str | None:
    """Return what a field takes, by its comment in the sources, which is its description for clients."""
    sentence = field_comments(kind).get(field, "").partition(". ")[0].rstrip(".")
    if not sentence.startswith(("ID", "Name")):
        return None
    takes = sentence if sentence.startswith("ID") else f"n{sentence[1:]}"
    listed = f"; GET {base}/{_LISTS[entity]} lists them" if entity in _LISTS else ""
    return f"`{path}` takes the {takes}{listed}"


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
