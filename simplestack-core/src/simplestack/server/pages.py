"""Error responses to requests that do not reach the application."""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from simplestack.errors import SimplestackError
from simplestack.operations.statuses import status_of
from simplestack.server.client_address import peer_address
from simplestack.server.problems import http_problem, problem_body
from simplestack.server.rejections import REJECTIONS
from simplestack.server.request_id import HEADER, new_request_id

#: Called with the HTTP status of each of these responses.
_listeners: list[Callable[[int], object]] = []
_STATUS_LINE = re.compile(rb"\AHTTP/1\.1 (?P<status>[0-9]{3}) (?P<reason>[^\r\n]*)")


def call_at_rejection(call: Callable[[int], object]) -> None:
    """Register `call(status)` for the error responses of this process."""
    _listeners.append(call)


def rejection(status: int, reason: str, peer: Any) -> bytes:
    """Return and log the response to a request that the HTTP layers reject.

    :param peer: address of the connection
    """
    return _page(status, reason, *http_problem(status), peer=peer)


def error_page(error: SimplestackError, peer: Any) -> bytes:
    """Return and log the response to a request that failed before it reached the application.

    :param peer: address of the connection
    """
    status = HTTPStatus(status_of(type(error)))
    extra = "" if error.retry_after_seconds is None else f"Retry-After: {error.retry_after_seconds}\r\n"
    return _page(status, status.phrase, error.name, error.message, peer=peer, extra=extra)


def _page(status: int, reason: str, name: str, message: str, *, peer: Any, extra: str = "") -> bytes:
    identity = new_request_id()
    REJECTIONS.log(
        identity, " before it was read:", status, name, message=message, client=peer_address(peer) or "-"
    )
    for call in _listeners:
        call(int(status))
    body = problem_body(name, message, identity)
    head = (
        f"HTTP/1.1 {status:d} {reason}\r\nConnection: close\r\nContent-Type: application/json\r\n{extra}"
        f"{HEADER}: {identity}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class StandIn:
    """Replaces the client's socket while gunicorn writes its own error page."""

    def __init__(self) -> None:
        self._written = b""

    def gettimeout(self) -> float:
        """Return 0: it never blocks."""
        return 0.0

    def sendall(self, data: bytes) -> None:
        """Store the bytes."""
        self._written += data

    def page(self, peer: Any) -> bytes:
        """Return our error response with the same status; nothing if gunicorn wrote none.

        :param peer: address of the connection
        """
        status = _STATUS_LINE.match(self._written)
        if status is None:
            return b""
        return rejection(int(status["status"]), status["reason"].decode("latin-1"), peer)
