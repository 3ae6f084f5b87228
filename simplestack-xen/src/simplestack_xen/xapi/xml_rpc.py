"""XML-RPC as XAPI speaks it: integers travel as text, and answers can be very long.

Requests are written by the standard library. Its reader makes Python objects of everything; of 10,000 records
that is some seconds. This one leaves out the members that nobody asked for, and reads as the bytes arrive.
"""

import http.client
import re
import xmlrpc.client
from collections.abc import Callable, Mapping
from typing import Any, NoReturn
from xml.parsers import expat

from simplestack import HypervisorError, InvalidArguments
from simplestack_xen.sdk import XenAPI

CONTENT_TYPE = "text/xml"
PATH = "/"
_PIECE_BYTES = 128 * 1024
#: What is no Char of XML 1.0.
_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: Depth at which records are in the answer of ``get_all_records``: the answer, the map, the record.
_RECORD_DEPTH = 3


def write_call(message: str, parameters: tuple[Any, ...]) -> bytes:
    """Write a call.

    :raises InvalidArguments: a text in it has a character that XML cannot carry
    """
    text = xmlrpc.client.dumps(tuple(map(_wire_value, parameters)), message)
    forbidden = _FORBIDDEN.search(text)
    if forbidden is not None:
        raise InvalidArguments(
            f"XAPI's XML cannot carry the character U+{ord(forbidden[0]):04X}: leave it out"
        )
    return text.encode()


def read_answer(response: http.client.HTTPResponse, wanted: frozenset[str] | None = None) -> Any:
    """Read an answer.

    :param wanted: the members of records that matter, of an answer that is a map of records
    :raises XenAPI.Failure: XAPI refuses
    :raises HypervisorError: it is no answer of XAPI's
    """
    if response.status != http.HTTPStatus.OK:
        raise HypervisorError(f"XAPI answered HTTP {response.status} {response.reason}", response.status)
    reader = _Reader(wanted)
    try:
        while piece := response.read(_PIECE_BYTES):
            reader.feed(piece)
        answer = reader.close()
    except expat.ExpatError as error:
        raise HypervisorError(f"XAPI sent something that is no XML-RPC: {error}") from None
    finally:
        reader.let_go()
    match answer:
        case {"Status": "Success", "Value": value}:
            return value
        case {"Status": "Failure", "ErrorDescription": [*description]}:
            raise XenAPI.Failure([str(part) for part in description] or ["UNKNOWN"])
        case _:
            raise HypervisorError("XAPI sent something that is no XML-RPC answer of XAPI's")


def _wire_value(value: Any) -> Any:
    """Return a value as XAPI wants it: 64-bit integers do not fit XML-RPC's, so they are text."""
    match value:
        case bool():
            return value
        case int():
            return str(value)
        case Mapping():
            return {str(name): _wire_value(its) for name, its in value.items()}
        case list() | tuple():
            return [_wire_value(item) for item in value]
        case _:
            return value


class _Struct(dict[str, Any]):
    """A struct in the making."""

    name: str = ""


_SCALARS: Mapping[str, Callable[[str], Any]] = {
    "string": str,
    "int": int,
    "i4": int,
    "i8": int,
    "double": float,
    "boolean": lambda text: text.strip() == "1",
    "dateTime.iso8601": str,
}


class _Reader:
    """Reads one value out of a stream of XML. Document types are refused: no entity can be defined.

    Most of a long answer is members of records that nobody wants, and what it costs is the calls for each of
    their elements. So there are three ways to listen: to all elements; inside a record, to the names of its
    members; inside a member that is not wanted, to its end.
    """

    def __init__(self, wanted: frozenset[str] | None) -> None:
        self._wanted = wanted
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = _refuse_doctype
        #: What the values go into that are being read, outermost first.
        self._open: list[_Struct | list[Any]] = []
        self._text: list[str] = []
        self._value: Any = None
        #: Whether the ``<value>`` that is open has had its content already.
        self._has_value = False
        self._structs = 0
        self._skipped_members = 0
        self._listen()

    def feed(self, piece: bytes) -> None:
        self._parser.Parse(piece, False)

    def close(self) -> Any:
        self._parser.Parse(b"", True)
        return self._value

    def let_go(self) -> None:
        """Free the answer now: the parser and its listeners hold one another, and all that was read."""
        self._parser.StartElementHandler = None
        self._parser.EndElementHandler = None
        self._parser.CharacterDataHandler = None

    @property
    def _is_in_record(self) -> bool:
        return self._structs == _RECORD_DEPTH and self._wanted is not None

    def _listen(self) -> None:
        """Listen to all elements."""
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text.append

    def _listen_for_names(self) -> None:
        """Listen to the names of a record's members, and to its end."""
        self._text.clear()
        self._parser.StartElementHandler = None
        self._parser.EndElementHandler = self._end_in_record
        self._parser.CharacterDataHandler = self._text.append

    def _listen_for_the_end(self) -> None:
        """Listen to where a member that is not wanted ends."""
        self._parser.StartElementHandler = None
        self._parser.EndElementHandler = self._end_skipped
        self._parser.CharacterDataHandler = None

    def _start(self, tag: str, _attributes: Mapping[str, str]) -> None:
        self._text.clear()
        if tag == "value":
            self._has_value = False
        elif tag == "struct":
            self._open.append(_Struct())
            self._structs += 1
            if self._is_in_record:
                self._listen_for_names()
        elif tag == "array":
            self._open.append([])

    def _end(self, tag: str) -> None:
        if tag == "value":
            self._put()
        elif tag == "member":
            if self._is_in_record:
                self._listen_for_names()
        elif tag == "name":
            holder = self._open[-1] if self._open else None
            if not isinstance(holder, _Struct):
                raise HypervisorError("XAPI sent something that is no XML-RPC")
            holder.name = "".join(self._text)
        elif tag in ("struct", "array"):
            self._structs -= tag == "struct"
            self._value = self._open.pop()
            self._has_value = True
        elif (convert := _SCALARS.get(tag)) is not None:
            try:
                self._value = convert("".join(self._text))
            except ValueError:
                raise HypervisorError(f"XAPI sent something that is no {tag}") from None
            self._has_value = True
        elif tag == "nil":
            self._value, self._has_value = None, True

    def _put(self) -> None:
        """Put a value that is complete where it belongs."""
        # Without a type it is a string.
        value = self._value if self._has_value else "".join(self._text)
        self._has_value = True
        self._value = value
        if not self._open:
            return
        holder = self._open[-1]
        if isinstance(holder, list):
            holder.append(value)
        else:
            holder[holder.name] = value

    def _end_in_record(self, tag: str) -> None:
        if tag == "name":
            name = "".join(self._text).strip()
            if self._wanted is None or name in self._wanted:
                record = self._open[-1]
                if isinstance(record, _Struct):
                    record.name = name
                self._listen()
            else:
                self._listen_for_the_end()
        elif tag == "struct":
            self._listen()
            self._end(tag)

    def _end_skipped(self, tag: str) -> None:
        if tag == "member":
            self._listen_for_names()
        elif tag == "name":
            # A struct with members: from here on they are counted, this one and the outer one too.
            self._skipped_members = 2
            self._parser.StartElementHandler = self._start_counted
            self._parser.EndElementHandler = self._end_counted

    def _start_counted(self, tag: str, _attributes: Mapping[str, str]) -> None:
        if tag == "member":
            self._skipped_members += 1

    def _end_counted(self, tag: str) -> None:
        if tag == "member":
            self._skipped_members -= 1
            if not self._skipped_members:
                self._listen_for_names()


def _refuse_doctype(*_declaration: Any) -> NoReturn:
    raise HypervisorError("XAPI sent XML with a document type, which it never does; that is not read")
