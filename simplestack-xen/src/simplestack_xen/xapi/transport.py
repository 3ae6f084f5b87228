"""The transport of the SDK's sessions: XML-RPC on a kept connection."""

import contextlib
import http.client
import re
import xmlrpc.client
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn
from xml.parsers import expat

from simplestack import HttpsClient, HypervisorError, InvalidArguments, forbidden_in_xml
from simplestack_xen.xapi.messages import request

_CONTENT_TYPE = "text/xml"
_PIECE_BYTES = 128 * 1024
#: The name of the message, at the start of a request body.
_METHOD = re.compile(rb"<methodName>([\w.]+)</methodName>")
#: Errors of the standard library's decoder for XML that is not XML-RPC.
_INVALID = (
    xmlrpc.client.Error,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
)


class Transport(xmlrpc.client.Transport):
    """A transport with time limits, which repeats only messages that are repeatable.

    The standard library's transport has no time limit, and repeats any message when the connection breaks.
    """

    def __init__(self, client: HttpsClient) -> None:
        super().__init__()
        self._client = client
        #: Time limit for the next message.
        self.limit_seconds = 0.0

    def request(self, host: Any, handler: str, request_body: Any, verbose: bool = False) -> tuple[Any, ...]:  # noqa: ARG002  the SDK passes them
        """Send a message, and return its response as a tuple with a struct.

        :raises HypervisorError: the response is not valid
        :raises SimplestackError: as `HttpsClient.send`
        """
        method = _METHOD.search(request_body)
        message = "" if method is None else method[1].decode()
        # Readers of XML turn a carriage return into a line feed, unless it is written so.
        request_body = request_body.replace(b"\r", b"&#13;")
        return self._client.send(
            request(message, handler, request_body, _CONTENT_TYPE), read_response, self.limit_seconds
        )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def xml_value(value: Any) -> Any:
    """Convert a value for XAPI. Integers are text, since XML-RPC has no 64-bit integers.

    :raises InvalidArguments: a string has a character that XML cannot contain
    """
    match value:
        case bool():
            return value
        case int():
            return str(value)
        case str():
            forbidden = forbidden_in_xml(value)
            if forbidden is not None:
                raise InvalidArguments(f"XAPI's XML cannot contain the character {forbidden}: remove it")
            return value
        case Mapping():
            return {xml_value(str(name)): xml_value(its) for name, its in value.items()}
        case list() | tuple():
            return [xml_value(item) for item in value]
        case _:
            return value


class _Values(xmlrpc.client.Unmarshaller):
    """The standard library's decoder, except that times stay text."""

    dispatch = xmlrpc.client.Unmarshaller.dispatch | {
        "dateTime.iso8601": xmlrpc.client.Unmarshaller.dispatch["string"]
    }


def read_response(response: http.client.HTTPResponse) -> tuple[Any, ...]:
    """Decode a response while it arrives, and check that the SDK finds a result or an error in it.

    The standard library's parser accepts document types, whose entities can expand to huge texts. This parser
    rejects them.

    :raises HypervisorError: the response is not valid
    """
    if response.status != http.HTTPStatus.OK:
        raise HypervisorError(f"XAPI returned HTTP status {response.status}", response.status)
    values = _Values()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _reject_doctype
    parser.StartElementHandler = values.start
    parser.EndElementHandler = values.end
    parser.CharacterDataHandler = values.data
    values.xml("", None)  # expat decodes texts itself
    while piece := response.read(_PIECE_BYTES):
        with _valid_xml_rpc():
            parser.Parse(piece, False)
    with _valid_xml_rpc():
        parser.Parse(b"", True)
        decoded = values.close()
    match decoded:
        case ({"Status": "Success", "Value": _},):
            return decoded
        case ({"Status": "Failure", "ErrorDescription": [_, *_] as description},) if all(
            isinstance(part, str) for part in description
        ):
            return decoded
        case _:
            raise HypervisorError("XAPI returned XML-RPC without a status")


@contextlib.contextmanager
def _valid_xml_rpc() -> Iterator[None]:
    try:
        yield
    except expat.ExpatError as error:
        raise HypervisorError(f"XAPI returned invalid XML-RPC: {error}") from None
    except _INVALID:
        raise HypervisorError("XAPI returned invalid XML-RPC") from None


def _reject_doctype(*_declaration: Any) -> NoReturn:
    raise HypervisorError("XAPI returned XML with a document type, which is not accepted")
