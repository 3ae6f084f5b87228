"""Values that are text in SOAP: numbers, dates, binary data."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from simulators.vsphere.schema import (
    Binary,
    Byte,
    Double,
    Float,
    Int,
    Link,
    Long,
    PropertyPath,
    Short,
    Uri,
)

XSD = "http://www.w3.org/2001/XMLSchema"
_INTEGER = re.compile(r"[+-]?[0-9]+\Z")
_DATE = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)?\Z",
)
_BITS: Mapping[Any, int] = {Byte: 8, Short: 16, Int: 32, Long: 64}
#: The type of each value's ``xsi:type`` in XML Schema's namespace.
XSD_NAMES: Mapping[Any, str] = {
    bool: "boolean",
    Byte: "byte",
    Short: "short",
    Int: "int",
    Long: "long",
    Float: "float",
    Double: "double",
    str: "string",
    Uri: "anyURI",
    Binary: "base64Binary",
    datetime: "dateTime",
}
XSD_TYPES: Mapping[str, Any] = {name: kind for kind, name in XSD_NAMES.items()}


def read_text(kind: Any, text: str) -> Any:
    """Read a value.

    :param kind: its type
    :raises ValueError: it is no such value
    """
    return _READERS[kind](text)


def is_text(kind: Any) -> bool:
    """Return whether values of a type are text that this module reads."""
    return kind in _READERS


def write_text(value: Any) -> str:
    """Write a value. Strings are not escaped yet."""
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, datetime):
        return _write_date(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)


def _read_boolean(text: str) -> bool:
    found = {"true": True, "1": True, "false": False, "0": False}.get(text.strip())
    if found is None:
        raise ValueError(text)
    return found


def _integer(kind: Any) -> Callable[[str], Any]:
    limit = 2 ** (_BITS[kind] - 1)

    def read(text: str) -> Any:
        text = text.strip()
        if _INTEGER.match(text) is None or not -limit <= (number := int(text)) < limit:
            raise ValueError(text)
        return kind(number)

    return read


def _read_binary(text: str) -> Any:
    try:
        return Binary(base64.b64decode("".join(text.split()), validate=True))
    except binascii.Error as error:
        raise ValueError(text) from error


def _read_date(text: str) -> datetime:
    found = _DATE.match(text.strip())
    if found is None:
        raise ValueError(text)
    fraction = (found[7] or "")[:6].ljust(6, "0")
    zone = "+00:00" if found[8] in (None, "Z") else found[8]
    return datetime.fromisoformat(f"{text.strip()[:19]}.{fraction}{zone}")


def _write_date(value: datetime) -> str:
    moment = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


_READERS: dict[Any, Callable[[str], Any]] = {
    bool: _read_boolean,
    Float: float,
    Double: lambda text: Double(float(text)),
    str: str,
    Uri: Uri,
    Link: Link,
    PropertyPath: PropertyPath,
    Binary: _read_binary,
    datetime: _read_date,
    **{kind: _integer(kind) for kind in _BITS},
}
