"""VI-JSON: ``/sdk/vim25/RELEASE/TYPE/ID/METHOD``, and the name of a property to read it."""

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import msgspec

from simulators.rules import Drop
from simulators.vsphere.answers import answer_json
from simulators.vsphere.routes import route

if TYPE_CHECKING:
    from simulators.vsphere.handler import Handler

_PREFIX = "/sdk/vim25/"
_SESSION = "vmware-api-session-id"
_MAX_BYTES = 20 * 1024**2


@route("POST", _PREFIX)
def call(handler: "Handler") -> None:
    """Call a method. A server that does not speak JSON takes the request for SOAP."""
    body = handler.read_body(_MAX_BYTES)
    if body is None:
        return
    if handler.simulator.product.speaks_json:
        _answer(handler, _path(handler), body)
    else:
        handler.answer_soap(body)


@route("GET", _PREFIX)
def read(handler: "Handler") -> None:
    """Read a property."""
    if handler.simulator.product.speaks_json:
        *before, name = _path(handler)
        _answer(handler, [*before, "Fetch"], msgspec.json.encode({"prop": name}))
    else:
        handler.answer_soap(b"")


def _path(handler: "Handler") -> list[str]:
    parts = urlsplit(handler.path).path.removeprefix(_PREFIX).split("/")
    return [unquote(part) for part in parts]


def _answer(handler: "Handler", path: list[str], body: bytes) -> None:
    if len(path) != 4:
        handler.send(404, b"")
        return
    cookie = handler.headers.get(_SESSION) or handler.cookie
    try:
        found = answer_json(handler.simulator, path, body, cookie, handler.client)
    except Drop:
        handler.drop()
        return
    headers = {_SESSION: found.cookie} if found.cookie else {}
    handler.send(found.status, found.body, found.content_type, found.cookie, headers)
