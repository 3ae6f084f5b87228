"""The two wires: XML-RPC, and JSON-RPC 1.0 and 2.0 as XAPI speaks them."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Protocol
from xml.parsers.expat import ExpatError
from xml.sax.saxutils import escape
from xmlrpc.client import Fault, ResponseError, loads

import msgspec
from msgspec import Raw, Struct

from simulators.xapi.database import Object
from simulators.xapi.datamodel import Parameter
from simulators.xapi.events import Batch
from simulators.xapi.failures import Failure
from simulators.xapi.types import Type, WrongType, struct_xml


class Malformed(Exception):
    """A request that is no call: XAPI answers HTTP 500."""


class Call(NamedTuple):
    """A call as it came."""

    method: str
    parameters: list[Any]
    wire: "Wire"


class Wire(Protocol):
    """How values are read, and how an answer is written."""

    content_type: str

    def read(self, parameter: Parameter, value: Any) -> Any:
        """Read a parameter.

        :raises Failure: FIELD_TYPE_ERROR
        """
        ...

    def success(self, returns: Type, value: Any) -> bytes:
        """Write an answer."""
        ...

    def failure(self, failure: Failure) -> bytes:
        """Write a refusal."""
        ...


def _read(reader: Callable[[Any], Any], parameter: Parameter, value: Any) -> Any:
    try:
        return reader(value)
    except WrongType:
        raise Failure("FIELD_TYPE_ERROR", parameter.name) from None


class XmlRpc:
    """XML-RPC."""

    content_type = "text/xml"

    def read(self, parameter: Parameter, value: Any) -> Any:
        """Read a parameter."""
        return _read(parameter.type.from_xml, parameter, value)

    def success(self, returns: Type, value: Any) -> bytes:
        """Write an answer."""
        return _response({"Status": "Success", "Value": content_xml(returns, value)})

    def failure(self, failure: Failure) -> bytes:
        """Write a refusal."""
        items = "".join(f"<value>{escape(text)}</value>" for text in failure.description)
        described = f"<array><data>{items}</data></array>"
        return _response({"Status": "Failure", "ErrorDescription": described})


class JsonRpc:
    """JSON-RPC, of the version that the request had."""

    content_type = "application/json"

    def __init__(self, version: str | None, identity: int | str) -> None:
        self._version = version
        self._identity = identity

    def read(self, parameter: Parameter, value: Any) -> Any:
        """Read a parameter."""
        return _read(parameter.type.from_json, parameter, value)

    def success(self, returns: Type, value: Any) -> bytes:
        """Write an answer."""
        content = _content_json(returns, value)
        if self._version is None:
            return msgspec.json.encode({"result": content, "error": None, "id": self._identity})
        return msgspec.json.encode({"jsonrpc": "2.0", "result": content, "id": self._identity})

    def failure(self, failure: Failure) -> bytes:
        """Write a refusal."""
        if self._version is None:
            described = failure.description
            return msgspec.json.encode({"result": None, "error": described, "id": self._identity})
        error = {"code": 1, "message": failure.code, "data": failure.parameters}
        return msgspec.json.encode({"jsonrpc": "2.0", "error": error, "id": self._identity})


class _JsonCall(Struct):
    method: str
    id: int | str
    params: list[Any] | dict[str, Any] | None = None
    jsonrpc: Literal["2.0"] | None = None


def read_xml_call(body: bytes) -> Call:
    """Read an XML-RPC request.

    :raises Malformed: it is none
    """
    try:
        parameters, method = loads(body)
    except (ExpatError, ResponseError, Fault, ValueError, LookupError, TypeError) as error:
        raise Malformed(f"Xmlrpc.Parse_error({error})") from error
    if method is None:
        raise Malformed("Xmlrpc.Parse_error(no methodName)")
    return Call(method, list(parameters), XmlRpc())


def read_json_call(body: bytes) -> Call:
    """Read a JSON-RPC request.

    :raises Malformed: it is none
    """
    try:
        call = msgspec.json.decode(body, type=_JsonCall)
    except msgspec.DecodeError as error:
        raise Malformed(f"Jsonrpc.Malformed_method_request({error})") from error
    match call.params:
        case list() as parameters:
            pass
        case dict() as parameter if call.jsonrpc is not None:
            parameters = [parameter]
        case None if call.jsonrpc is not None:
            parameters = []
        case _:
            raise Malformed("Jsonrpc.Malformed_method_request(Invalid field 'params' in request body)")
    return Call(call.method, parameters, JsonRpc(call.jsonrpc, call.id))


def content_xml(returns: Type, value: Any) -> str:
    """Write the content of a ``<value>``."""
    if isinstance(value, Object | Batch):
        return value.xml
    if returns.name.endswith(" record) map"):
        return struct_xml({ref: found.xml for ref, found in value.items()})
    return returns.to_xml(value)


def _content_json(returns: Type, value: Any) -> Any:
    if isinstance(value, Object | Batch):
        return value.json
    if returns.name.endswith(" record) map"):
        found: dict[str, Raw] = {ref: each.json for ref, each in value.items()}
        return found
    return returns.to_json(value)


def _response(members: dict[str, str]) -> bytes:
    content = struct_xml(members)
    return (
        '<?xml version="1.0"?><methodResponse><params><param>'
        f"<value>{content}</value></param></params></methodResponse>"
    ).encode()
