"""An audit line, as JSON for programs or as text for people."""

import json
import os
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from simplestack.operations.statuses import Level
from simplestack.wording import printable

#: A value that needs no quotes in a text line.
_is_plain = re.compile(r"[A-Za-z0-9._:@/+~\[\]-]+").fullmatch
#: What no JSON encoder has to escape, but some readers of lines take for the end of a line or obey.
_UNSAFE = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_encode = msgspec.json.Encoder().encode


class AuditLine(Struct, kw_only=True, omit_defaults=True):
    """An audit line."""

    time: datetime
    level: Level
    request_id: str
    hypervisor: str
    host: str
    user: str
    #: Name of the service token in the request.
    client: str | None = None
    #: Address that the request came from.
    client_address: str | None = None
    operation: str
    #: The operation of the request, if a service plugin has called this one.
    nested_in: str | None = None
    #: IDs and names in the request: guest, disk, snapshot and so on.
    ids: dict[str, str]
    #: Status of the response; None if there is none.
    status: int | None = None
    #: ``ok``, or the name of the error.
    outcome: str
    #: The shortened message of the error. For an unknown ID, the response may also say what was meant.
    reason: str | None = None
    duration_ms: float
    #: Whether the operation ended after the client had got 504.
    late: bool = False
    #: Warnings in the response.
    warnings: list[str] = []
    #: For exports: number of sent bytes, without the last chunk if the client disconnected.
    bytes: int | None = None


def encoded(line: AuditLine, line_format: str) -> bytes:
    """Return a line with its line feed. The operation may have taken effect: no text prevents it.

    :param line_format: ``text`` or ``json``
    """
    if line_format == "json":
        return _as_json(line) + b"\n"
    return f"{_as_text(line)}\n".encode(errors="backslashreplace")


def _as_json(line: AuditLine) -> bytes:
    try:
        text = _encode(line)
    except UnicodeEncodeError:  # half of a surrogate pair, in a plugin's text
        text = _encode(_well_formed(msgspec.to_builtins(line)))
    if text.isascii() and b"\x7f" not in text:
        return text
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text.decode()).encode()


def _as_text(line: AuditLine) -> str:
    time = line.time.isoformat(timespec="milliseconds")[: -len("+00:00")]
    text = f"{time}Z {line.level.upper()} simplestack.audit[{os.getpid()}]: {line.operation} {line.outcome} "
    if line.status is not None:
        text += f"status={line.status} "
    text += f"hypervisor={line.hypervisor} host={line.host} user={_quoted(line.user)} "
    if line.client is not None:
        text += f"client={_quoted(line.client)} "
    if line.client_address is not None:
        text += f"client_address={_quoted(line.client_address)} "
    for name, value in line.ids.items():
        text += f"{name}={_quoted(value)} "
    text += f"duration_ms={line.duration_ms:.1f} request_id={line.request_id}"
    return printable(text + "".join(_rare_words(line)))


def _rare_words(line: AuditLine) -> Iterator[str]:
    if line.bytes is not None:
        yield f" bytes={line.bytes}"
    if line.nested_in is not None:
        yield f" nested_in={line.nested_in}"
    if line.late:
        yield " late=true"
    for warning in line.warnings:
        yield f" warning={_quoted(warning)}"
    if line.reason is not None:
        yield f" reason={_quoted(line.reason)}"


def _quoted(value: str) -> str:
    return value if _is_plain(value) else json.dumps(value, ensure_ascii=False)


def _well_formed(value: Any) -> Any:
    """Return builtins, with escapes for halves of surrogate pairs, as Python writes them."""
    match value:
        case str():
            return value.encode(errors="backslashreplace").decode()
        case dict():
            return {_well_formed(name): _well_formed(its) for name, its in value.items()}
        case list():
            return [_well_formed(item) for item in value]
        case _:
            return value
