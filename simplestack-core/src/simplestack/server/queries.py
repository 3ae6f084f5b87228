"""Read query strings. Unknown parameters are rejected: they may be misspelt filters."""

import functools
import json
import re
from collections.abc import Collection
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin
from urllib.parse import parse_qsl

import falcon
from msgspec import Struct
from msgspec.structs import fields

from simplestack.errors import InvalidArguments
from simplestack.server.bodies import decode_json
from simplestack.server.body_words import bare
from simplestack.suggestions import did_you_mean

S = TypeVar("S", bound=Struct)

_WHOLE_NUMBER = re.compile(r"\A-?[0-9]{1,18}\Z")


def read_query(request: falcon.Request, *known: str, what: str | None = None) -> dict[str, str]:
    """Return the query parameters by name.

    :param known: names of the accepted parameters
    :param what: name of the operation for messages. Default: the path
    :raises InvalidArguments: a parameter is unknown or given twice, or the query is not UTF-8
    """
    parameters = read_repeatable_query(request, *known, what=what)
    return {name: value for name, (value,) in parameters.items()}


def read_repeatable_query(
    request: falcon.Request, *known: str, what: str | None = None, repeatable: Collection[str] = ()
) -> dict[str, list[str]]:
    """Return the values of the query parameters by name.

    :param known: names of the accepted parameters
    :param what: name of the operation for messages. Default: the path
    :param repeatable: those of the accepted parameters that may have several values
    :raises InvalidArguments: a parameter is unknown or given twice, or the query is not UTF-8
    """
    if not request.query_string:
        return {}
    try:
        pairs = parse_qsl(request.query_string, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise InvalidArguments("the query string is not percent-encoded UTF-8") from None
    parameters: dict[str, list[str]] = {}
    for name, value in pairs:
        if name not in known:
            raise InvalidArguments(
                f"unknown query parameter {name[:100]!r}: {what or request.path} accepts "
                f"{', '.join(known) or 'none'}{did_you_mean(name, known)}"
            )
        if name in parameters and name not in repeatable:
            raise InvalidArguments(f"query parameter {name!r} is given twice: give it once")
        parameters.setdefault(name, []).append(value)
    return parameters


def decode_query(parameters: dict[str, list[str]], kind: type[S]) -> S:
    """Return the struct that the parameters describe.

    :param parameters: the values of the fields that are given, by name
    :raises InvalidArguments: a value is invalid; the message names the parameter and says what to send
    """
    values = {
        field.name: parameters[field.name]
        if field.name in list_fields(kind)
        else _json_value(parameters[field.name][0], field.type)
        for field in fields(kind)
        if field.name in parameters
    }
    return decode_json(json.dumps(values).encode(), kind)


@functools.cache
def list_fields(kind: type[Struct]) -> frozenset[str]:
    """Return the names of the fields that are lists."""
    return frozenset(field.name for field in fields(kind) if get_origin(bare(field.type)) is list)


def _json_value(text: str, kind: Any) -> Any:
    """Return the JSON value of a parameter: a whole number or a boolean where the field is one, else text."""
    choices = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    kinds = [bare(choice) for choice in choices]
    if int in kinds and _WHOLE_NUMBER.match(text):
        return int(text)
    if bool in kinds:
        return {"true": True, "false": False}.get(text, text)
    return text
