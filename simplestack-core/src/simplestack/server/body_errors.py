"""Error messages for invalid JSON bodies.

The words come from the body's type, so they work for plugin types, too. ``Meta(extra={"words": ...})``
describes a value when its type does not: "a whole number of MiB", "a power state".
"""

import codecs
import functools
import json
import re
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import msgspec
from msgspec import Struct, UnsetType
from msgspec.structs import FieldInfo, fields

from simplestack.entities.secrets import is_secret, secret_fields
from simplestack.server.body_words import (
    accepted,
    accepted_choices,
    bare,
    shown,
    shown_name,
    shown_secret,
)
from simplestack.server.json_loading import load_json
from simplestack.suggestions import did_you_mean
from simplestack.wording import uncapitalized

_SURROGATE = re.compile(r"[\ud800-\udfff]")
_EXCERPT_LENGTH = 20


def malformed_reason(text: bytes, kind: type[Struct]) -> str:
    """Return the error message for text that is not JSON, or that has invalid Unicode.

    It does not quote a body that may have a secret field.

    :param kind: the type of the body
    :raises UnicodeDecodeError: the text is not UTF-8
    :raises RecursionError: the JSON is nested too deeply
    """
    if text.startswith(codecs.BOM_UTF8):
        return "the body starts with a byte order mark: send JSON without a byte order mark"
    try:
        value = load_json(text.decode())
    except json.JSONDecodeError as error:
        what = error.msg.removesuffix(" at")
        place = f"line {error.lineno}, column {error.colno}"
        excerpt = error.doc[error.pos : error.pos + _EXCERPT_LENGTH]
        if not excerpt:
            where = f"at {place}, where the body ends"
        elif secret_fields(kind):  # in which field it is cannot be told: its name may be misspelt
            where = f"at {place}"
        else:
            where = f"at {place}, near {excerpt!r}"
        return f"the body is not JSON: {uncapitalized(what)} {where}"
    # Python accepts what msgspec rejects: JSON that escapes half of a surrogate pair.
    what = next(_surrogates(value, ""), "the body has half of a surrogate pair")
    return f"{what}: send both halves, such as \\ud83d\\ude00, or the character itself in UTF-8"


def body_fault(text: bytes, kind: type[Struct]) -> str:
    """Return the error message for an invalid field: its name, its value and what to send.

    :raises UnicodeDecodeError: the text is not UTF-8
    :raises RecursionError: the JSON is nested too deeply
    """
    try:
        value = load_json(text.decode())
    except json.JSONDecodeError:
        return malformed_reason(text, kind)
    return _fault(value, kind, "") or (
        "the body is not what GET /openapi.json describes: check that each field is given only once"
    )


def _surrogates(value: Any, path: str) -> Iterator[str]:
    """Yield the strings with half of a surrogate pair, in words.

    :param path: path of the value in the body, empty for the body itself
    """
    if isinstance(value, str):
        yield from _halves(value, _place(path))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _surrogates(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        for name, its in value.items():
            yield from _halves(name, f"the name of the field {_place(_below(path, name))}")
            yield from _surrogates(its, _below(path, name))


def _halves(text: str, place: str) -> Iterator[str]:
    for half in _SURROGATE.findall(text):
        yield f"{place} has half of a surrogate pair, \\u{ord(half):04x}"


def _fault(value: Any, kind: Any, path: str, *, hidden: bool = False) -> str | None:
    """Return the error message for an invalid value; None if it is valid.

    :param path: path of the value in the body, empty for the body itself
    :param hidden: whether the value is secret, whatever its type says
    """
    error = _error(value, kind)
    if error is None:
        return None
    choices = _choices(kind)
    containers = [choice for choice in map(bare, choices) if _holds(choice, value)]
    if len(containers) == 1:
        fault = _fault_within(value, containers[0], path)
        if fault or _is_struct(containers[0]):  # its own check may reject a combination of valid fields
            return fault or _own_reason(error, path)
    valid = [choice for choice in choices if bare(choice) is not NoneType]
    is_hidden = hidden or any(map(_may_be_secret, choices))
    words, values = accepted_choices(valid[0]) if len(valid) == 1 else (None, "")
    if words and not is_hidden:
        return f"{shown(value).removeprefix('the string ')} is not {words}: use {values}"
    return f"{_place(path)} is {shown_secret(value) if is_hidden else shown(value)}: send {accepted(choices)}"


def _may_be_secret(kind: Any) -> bool:
    """Return whether a value instead of one of this type may be secret, or what belongs in a field of it."""
    own = bare(kind)
    return is_secret(kind) or (_is_struct(own) and bool(secret_fields(own)))


def _fault_within(value: Any, container: Any, path: str) -> str | None:
    if _is_struct(container):
        return next(filter(None, _faults_of_object(value, container, path)), None)
    if isinstance(value, list):
        item = next(iter(get_args(container)), Any)
        index = _first_wrong(value, item)
        return None if index is None else _fault(value[index], item, f"{path}[{index}]")
    item = next(reversed(get_args(container)), Any)
    index = _first_wrong([*value.values()], item)
    if index is None:
        return None
    name = [*value][index]
    return _fault(value[name], item, _below(path, name))


def _first_wrong(items: list[Any], kind: Any) -> int | None:
    """Return the index of the first item of the wrong type, by binary search."""
    if _error(items, list[kind]) is None:
        return None
    start, end = 0, len(items)  # the first invalid item is in this range
    while end - start > 1:
        middle = (start + end) // 2
        if _error(items[start:middle], list[kind]) is None:
            start = middle
        else:
            end = middle
    return start


def _faults_of_object(value: dict[str, Any], kind: type[Struct], path: str) -> Iterator[str | None]:
    known = _fields(kind)
    config = kind.__struct_config__
    if config.forbid_unknown_fields:
        for name in [name for name in value if name not in known and name != config.tag_field]:
            hint = did_you_mean(name, known, quote="`") or f"; the fields are {', '.join(known) or 'none'}"
            yield f"unknown field {_place(_below(path, name))}{hint}"
    for name, its in value.items():
        if name in known:
            hidden = known[name].name in secret_fields(kind)
            yield _fault(its, known[name].type, _below(path, name), hidden=hidden)
    for name, field in known.items():
        if field.required and name not in value:
            yield f"{_place(_below(path, name))} is missing: send {accepted(_choices(field.type))}"


@functools.cache
def _fields(kind: type[Struct]) -> dict[str, FieldInfo]:
    return {field.encode_name: field for field in fields(kind)}


def _error(value: Any, kind: Any) -> msgspec.ValidationError | None:
    try:
        msgspec.convert(value, kind, str_keys=True)
    except msgspec.ValidationError as error:
        return error
    return None


def _own_reason(error: msgspec.ValidationError, path: str) -> str | None:
    """Return the error message of a struct's ``__post_init__``."""
    if error.__cause__ is None:
        return None
    reason = str(error.__cause__) or "these values do not go together"
    return f"{_place(path)}: {reason}" if path else reason


def _choices(kind: Any) -> list[Any]:
    """Return the types of a union, or the type itself."""
    union = bare(kind)
    if get_origin(union) in (Union, UnionType):
        return [choice for choice in get_args(union) if choice is not UnsetType]
    return [kind]


def _is_struct(container: Any) -> bool:
    kind = get_origin(container) or container
    return isinstance(kind, type) and issubclass(kind, Struct)


def _holds(container: Any, value: Any) -> bool:
    """Return whether the type and the value are both objects, or both arrays."""
    origin = get_origin(container) or container
    if not isinstance(origin, type):
        return False
    if isinstance(value, list):
        return issubclass(origin, list | set | frozenset)
    if not isinstance(value, dict) or not issubclass(origin, Struct):
        return isinstance(value, dict) and issubclass(origin, dict)
    config = origin.__struct_config__
    has_tag = config.tag_field is None or value.get(config.tag_field) == config.tag
    return has_tag and not config.array_like


def _below(path: str, name: str) -> str:
    return f"{path}.{shown_name(name)}" if path else shown_name(name)


def _place(path: str) -> str:
    return f"`{path}`" if path else "the body"
