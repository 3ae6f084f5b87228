"""XAPI's JSON-RPC 2.0. It has the same messages as XML-RPC, and is much faster to decode.

https://xapi-project.github.io/xen-api/wire-protocol.html
"""

import http.client
import logging
from functools import cache
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from simplestack import HypervisorError
from simplestack_xen.sdk import XenAPI

_log = logging.getLogger(__name__)

CONTENT_TYPE = "application/json"
PATH = "/jsonrpc"

T = TypeVar("T")


class _Error(Struct):
    message: str
    data: list[str] = []


class Body(Struct, Generic[T]):
    """A decoded response: a result, or an error."""

    result: T | UnsetType | None = UNSET
    #: A list in responses of XAPIs before 2017 (JSON-RPC 1.0), and in some errors of later ones.
    error: _Error | list[str] | None = None


def write_call(message: str, parameters: tuple[Any, ...]) -> bytes:
    """Encode a call. All calls have the same ID, since a connection has one call at a time."""
    return msgspec.json.encode({"jsonrpc": "2.0", "method": message, "params": parameters, "id": 1})


def read_response(response: http.client.HTTPResponse, kind: type[T]) -> Body[T] | None:
    """Decode a response. None if the host has no such path, or takes the call for XML-RPC, as old ones do.

    :raises HypervisorError: the response is not valid
    """
    kind_sent = response.getheader("Content-Type", "")
    if response.status != http.HTTPStatus.OK or kind_sent.startswith(("text/xml", "text/html")):
        return None
    try:
        body: Body[T] = _decoder(kind).decode(response.read())  # type: ignore[arg-type]  # types are hashable
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        _log.warning("cannot decode XAPI's JSON-RPC response: %s", error)
        raise HypervisorError("XAPI returned invalid JSON-RPC: the service's log has the details") from None
    return body


def result_of(body: Body[T]) -> T:
    """Return the result.

    :raises XenAPI.Failure: XAPI returned an error
    :raises HypervisorError: the response has neither
    """
    if isinstance(body.error, list):
        raise XenAPI.Failure(body.error or ["UNKNOWN"])
    if body.error is not None:
        raise XenAPI.Failure([body.error.message, *body.error.data])
    if body.result is UNSET:
        raise HypervisorError("XAPI returned JSON-RPC without a result")
    return body.result  # type: ignore[return-value]  # nothing but what `kind` allows


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    # Not strict: some versions write integers as text here, too.
    return msgspec.json.Decoder(Body[kind], strict=False)
