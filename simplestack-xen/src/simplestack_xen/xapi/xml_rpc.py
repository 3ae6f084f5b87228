"""XAPI's XML-RPC. Integers are text, and responses can be very long.

The standard library encodes requests. Its decoder takes seconds for 10,000 records, since it decodes all
fields. The decoder in this module skips fields that are not wanted, and decodes while the bytes arrive.
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
#: Characters that are not allowed in XML 1.0.
_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: Depth of records in the response of ``get_all_records``: response, map, record.
_RECORD_DEPTH = 3


def write_call(message: str, parameters: tuple[Any, ...]) -> bytes:
    """Encode a call.

    :raises InvalidArguments: a string has a character that XML cannot contain
    """
    text = xmlrpc.client.dumps(tuple(map(_xml_value, parameters)), message)
    forbidden = _FORBIDDEN.search(text)
    if forbidden is not None:
        raise InvalidArguments(
            f"XAPI's XML cannot contain the character U+{ord(forbidden[0]):04X}: remove it"
        )
    return text.encode()


def read_response(response: http.client.HTTPResponse, wanted: frozenset[str] | None = None) -> Any:
    """Decode a response.

    :param wanted: if the result is a map of records: their fields to decode
    :raises XenAPI.Failure: XAPI returned an error
    :raises HypervisorError: the response is not valid
    """
    if response.status != http.HTTPStatus.OK:
        raise HypervisorError(
            f"XAPI returned HTTP status {response.status} {response.reason}", response.status
        )
    reader = _Reader(wanted)
    try:
        while piece := response.read(_PIECE_BYTES):
            reader.feed(piece)
        decoded = reader.close()
    except expat.ExpatError as error:
        raise HypervisorError(f"XAPI returned invalid XML-RPC: {error}") from None
    finally:
        reader.let_go()
    match decoded:
        case {"Status": "Success", "Value": value}:
            return value
        case {"Status": "Failure", "ErrorDescription": [*description]}:
            raise XenAPI.Failure([str(part) for part in description] or ["UNKNOWN"])
        case _:
            raise HypervisorError("XAPI returned XML-RPC without a status")


def _xml_value(value: Any) -> Any:
    """Convert a value for XAPI. Integers are text, since XML-RPC has no 64-bit integers."""
    match value:
        case bool():
            return value
        case int():
            return str(value)
        case Mapping():
            return {str(name): _xml_value(its) for name, its in value.items()}
        case list() | tuple():
            return [_xml_value(item) for item in value]
        case _:
            return value


class _Struct(dict[str, Any]):
    """A struct that is being decoded."""

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
    """Decodes a value from a stream of XML. Document types are rejected, so XML cannot define entities.

    Most of a long response is unwanted fields of records, and the callbacks for their elements take the time.
    So there are three sets of callbacks: for all elements; for the field names of a record; for the end of an
    unwanted field.
    """

    def __init__(self, wanted: frozenset[str] | None) -> None:
        self._wanted = wanted
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = _reject_doctype
        #: The structs and lists that are being decoded, outermost first.
        self._open: list[_Struct | list[Any]] = []
        self._text: list[str] = []
        self._value: Any = None
        #: Whether the content of the open ``<value>`` has been decoded.
        self._has_value = False
        self._structs = 0
        self._skipped_fields = 0
        self._listen()

    def feed(self, piece: bytes) -> None:
        self._parser.Parse(piece, False)

    def close(self) -> Any:
        self._parser.Parse(b"", True)
        return self._value

    def let_go(self) -> None:
        """Break the reference cycle between the parser and its callbacks, to free the response now."""
        self._parser.StartElementHandler = None
        self._parser.EndElementHandler = None
        self._parser.CharacterDataHandler = None

    @property
    def _is_in_record(self) -> bool:
        return self._structs == _RECORD_DEPTH and self._wanted is not None

    def _listen(self) -> None:
        """Set callbacks for all elements."""
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text.append

    def _listen_for_names(self) -> None:
        """Set callbacks for the field names of a record, and for its end."""
        self._text.clear()
        self._parser.StartElementHandler = None
        self._parser.EndElementHandler = self._end_in_record
        self._parser.CharacterDataHandler = self._text.append

    def _listen_for_the_end(self) -> None:
        """Set callbacks for the end of an unwanted field."""
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
                raise HypervisorError("XAPI returned invalid XML-RPC")
            holder.name = "".join(self._text)
        elif tag in ("struct", "array"):
            self._structs -= tag == "struct"
            self._value = self._open.pop()
            self._has_value = True
        elif (convert := _SCALARS.get(tag)) is not None:
            try:
                self._value = convert("".join(self._text))
            except ValueError:
                raise HypervisorError(f"XAPI returned an invalid {tag}") from None
            self._has_value = True
        elif tag == "nil":
            self._value, self._has_value = None, True

    def _put(self) -> None:
        """Add a complete value to its struct or list."""
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
            # A struct with fields: from here on, count nested fields, starting with this one and the outer
            # one.
            self._skipped_fields = 2
            self._parser.StartElementHandler = self._start_counted
            self._parser.EndElementHandler = self._end_counted

    def _start_counted(self, tag: str, _attributes: Mapping[str, str]) -> None:
        if tag == "member":
            self._skipped_fields += 1

    def _end_counted(self, tag: str) -> None:
        if tag == "member":
            self._skipped_fields -= 1
            if not self._skipped_fields:
                self._listen_for_names()


def _reject_doctype(*_declaration: Any) -> NoReturn:
    raise HypervisorError("XAPI returned XML with a document type, which is not accepted")
