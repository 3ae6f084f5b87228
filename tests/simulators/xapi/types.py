"""The types of the data model: which values they have, on either wire and inside the simulator.

Inside, an int is an int, a datetime is a `datetime` in UTC, a reference is a string, a set is a list and a
map is a dict. XML-RPC carries ints as strings of digits; JSON-RPC has numbers.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape
from xmlrpc.client import DateTime

from msgspec import Struct

NULL = "OpaqueRef:NULL"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = "%Y%m%dT%H:%M:%SZ"
_DIGITS = re.compile(r"\A-?[0-9]{1,19}\Z")
_MAP = re.compile(r"\A\((?P<key>.+?) -> (?P<value>.+)\) map\Z")


class WrongType(Exception):
    """A value is not of the type that it should have."""


class Type(Struct, frozen=True, kw_only=True):
    """How the values of a type are read and written."""

    name: str
    #: The value of a field that nobody has set.
    zero: Callable[[], Any]
    #: Read a value from XML-RPC, or from JSON-RPC.
    from_xml: Callable[[Any], Any]
    from_json: Callable[[Any], Any]
    #: Write the content of a ``<value>``.
    to_xml: Callable[[Any], str]
    to_json: Callable[[Any], Any]
    #: Read a default as the data model writes it.
    from_default: Callable[[str], Any]


def parse_type(name: str, enums: Mapping[str, list[str]]) -> Type:
    """Return the type that the data model names so."""
    if (found := _MAP.match(name)) is not None:
        return _map(name, parse_type(found["key"], enums), parse_type(found["value"], enums))
    if name.endswith(" set"):
        return _set(name, parse_type(name.removesuffix(" set"), enums))
    if name.startswith("enum "):
        return _enum(name, enums[name.removeprefix("enum ")])
    if name.endswith(" ref"):
        return _text(name, NULL)
    return _PRIMITIVES[name]


def time_text(moment: datetime) -> str:
    """Write a moment as XAPI does."""
    return moment.strftime(_TIME)


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise WrongType
    return value


def _text(name: str, zero: str) -> Type:
    return Type(
        name=name,
        zero=lambda: zero,
        from_xml=_string,
        from_json=_string,
        to_xml=escape,
        to_json=_string,
        from_default=lambda text: zero if text == "Null" else text.strip('"'),
    )


def _enum(name: str, values: list[str]) -> Type:
    known = frozenset(values)

    def read(value: Any) -> str:
        if value not in known:
            raise WrongType
        return str(value)

    return Type(
        name=name,
        zero=lambda: values[0],
        from_xml=read,
        from_json=read,
        to_xml=escape,
        to_json=read,
        from_default=read,
    )


def _int_from_xml(value: Any) -> int:
    if not isinstance(value, str) or not _DIGITS.match(value):
        raise WrongType
    return _int_from_json(int(value))


def _int_from_json(value: Any) -> int:
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise WrongType
    return value


def _float(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise WrongType
    return float(value)


def _float_from_xml(value: Any) -> float:
    if type(value) is not float:
        raise WrongType
    return _float(value)


def _bool(value: Any) -> bool:
    if type(value) is not bool:
        raise WrongType
    return value


def _time_from_xml(value: Any) -> datetime:
    return _time(value.value if isinstance(value, DateTime) else None)


def _time(value: Any) -> datetime:
    try:
        return datetime.strptime(_string(value).rstrip("Z") + "Z", _TIME).replace(tzinfo=UTC)
    except ValueError:
        raise WrongType from None


def _set(name: str, item: Type) -> Type:
    def read(by: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
        def items(value: Any) -> list[Any]:
            if not isinstance(value, list):
                raise WrongType
            return list(dict.fromkeys(by(found) for found in value))

        return items

    def to_xml(value: list[Any]) -> str:
        items = "".join(f"<value>{item.to_xml(found)}</value>" for found in value)
        return f"<array><data>{items}</data></array>"

    def from_default(text: str) -> list[Any]:
        inner = text.strip("{}").strip()
        return [item.from_default(part.strip()) for part in inner.split(",")] if inner else []

    return Type(
        name=name,
        zero=list,
        from_xml=read(item.from_xml),
        from_json=read(item.from_json),
        to_xml=to_xml,
        to_json=lambda value: [item.to_json(found) for found in value],
        from_default=from_default,
    )


def _map(name: str, key: Type, content: Type) -> Type:
    def read(by: Callable[[Any], Any]) -> Callable[[Any], dict[Any, Any]]:
        def members(value: Any) -> dict[Any, Any]:
            if not isinstance(value, dict):
                raise WrongType
            return {key.from_xml(name): by(found) for name, found in value.items()}

        return members

    def to_xml(value: dict[Any, Any]) -> str:
        return struct_xml({key.to_xml(name): content.to_xml(found) for name, found in value.items()})

    def from_default(text: str) -> dict[Any, Any]:
        inner = text.strip("{}").strip()
        pairs = [part.split(" -> ") for part in inner.split(",")] if inner else []
        return {key.from_default(name.strip()): content.from_default(found.strip()) for name, found in pairs}

    return Type(
        name=name,
        zero=dict,
        from_xml=read(content.from_xml),
        from_json=read(content.from_json),
        to_xml=to_xml,
        to_json=lambda value: {str(name): content.to_json(found) for name, found in value.items()},
        from_default=from_default,
    )


def struct_xml(members: Mapping[str, str]) -> str:
    """Write a ``<struct>`` of names and contents that are XML already."""
    parts = (
        f"<member><name>{name}</name><value>{content}</value></member>" for name, content in members.items()
    )
    return f"<struct>{''.join(parts)}</struct>"


_PRIMITIVES = {
    "string": _text("string", ""),
    "int": Type(
        name="int",
        zero=int,
        from_xml=_int_from_xml,
        from_json=_int_from_json,
        to_xml=str,
        to_json=int,
        from_default=int,
    ),
    "float": Type(
        name="float",
        zero=float,
        from_xml=_float_from_xml,
        from_json=_float,
        to_xml=lambda value: f"<double>{value:.16g}</double>",
        to_json=float,
        from_default=float,
    ),
    "bool": Type(
        name="bool",
        zero=bool,
        from_xml=_bool,
        from_json=_bool,
        to_xml=lambda value: f"<boolean>{value:d}</boolean>",
        to_json=bool,
        from_default=lambda text: text == "true",
    ),
    "datetime": Type(
        name="datetime",
        zero=lambda: EPOCH,
        from_xml=_time_from_xml,
        from_json=_time,
        to_xml=lambda value: f"<dateTime.iso8601>{time_text(value)}</dateTime.iso8601>",
        to_json=time_text,
        from_default=_time,
    ),
    "void": Type(
        name="void",
        zero=str,
        from_xml=_string,
        from_json=_string,
        to_xml=lambda _value: "",
        to_json=lambda _value: "",
        from_default=str,
    ),
}
