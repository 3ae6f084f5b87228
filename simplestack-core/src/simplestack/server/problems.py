"""HTTP statuses of errors, and the JSON body of error responses."""

import logging
from typing import Any

import falcon

from simplestack import errors
from simplestack.errors import SimplestackError
from simplestack.operations.statuses import status_of
from simplestack.server.client_address import client_address
from simplestack.server.json_text import json_text
from simplestack.server.rejections import REJECTIONS
from simplestack.server.request_id import HEADER, request_id
from simplestack.server.route_hints import unknown_path, unsupported_method, without_host
from simplestack.wording import shortened_line

_log = logging.getLogger("simplestack.server")

#: Errors of the HTTP layers: name and message by status.
HTTP_ERRORS = {
    400: ("InvalidArguments", "the request is malformed"),
    404: ("RouteNotFound", "no operation has this path"),
    405: (
        "MethodNotAllowed",
        "this path does not support this method; the Allow header lists the methods it supports",
    ),
    408: (
        "RequestTimeout",
        "the request did not arrive in time",
    ),
    411: ("LengthRequired", "send Content-Length, or a chunked body"),
    413: ("PayloadTooLarge", "the body is too large"),
    414: ("InvalidArguments", "the request line is too long"),
    415: (
        "UnsupportedMediaType",
        "the body has a Content-Type other than application/json, or a Content-Encoding",
    ),
    417: ("InvalidArguments", "the Expect header is not supported; send 100-continue or no Expect header"),
    431: ("InvalidArguments", "the request's header is too large"),
    501: (
        "NotImplementedError",
        "this transfer coding is not supported; send Content-Length, or a chunked body",
    ),
    503: (
        "NotReady",
        "the service accepts no requests: it is stopping, or a hypervisor plugin could not be loaded",
    ),
}
_INTERNAL = (
    "InternalError",
    "an internal error of the service; its log has the details under this request_id",
)


class HttpProblem(falcon.HTTPError):
    """An error of the HTTP layers with its own message.

    :param status: one of `HTTP_ERRORS`, which has the error's name
    :param headers: headers of the response
    """

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, headers=headers)
        self.message = message


def http_problem(status: int) -> tuple[str, str]:
    """Return the name and the message of an error of the HTTP layers."""
    return HTTP_ERRORS.get(
        status, _INTERNAL if status >= 500 else ("InvalidArguments", "the request was rejected")
    )


def problem_body(name: str, message: str, identity: str, details: dict[str, Any] | None = None) -> bytes:
    """Return the JSON body of an error response."""
    shape = {"error": name, "message": message, "request_id": identity}
    return json_text(shape | {key: value for key, value in (details or {}).items() if key not in shape})


def add_error_handlers(app: falcon.App[Any, Any]) -> None:
    """Make all errors of the app, including falcon's, JSON error responses."""
    app.add_error_handler(Exception, _on_unexpected_error)
    app.add_error_handler(falcon.HTTPError, _on_http_error)
    app.add_error_handler(SimplestackError, _on_error)


def _on_error(
    request: falcon.Request, response: falcon.Response, error: SimplestackError, _parameters: dict[str, Any]
) -> None:
    if error.retry_after_seconds is not None:
        response.set_header("Retry-After", str(error.retry_after_seconds))
    status = status_of(type(error))
    if status == 401:
        response.set_header("WWW-Authenticate", 'Simplestack realm="hypervisor", Bearer realm="simplestack"')
    message = error.message
    if isinstance(error, errors.HypervisorNotFound):
        message += without_host(request.path)
    _respond(request, response, status, error.name, message, details=error.details)


def _on_http_error(
    request: falcon.Request, response: falcon.Response, error: falcon.HTTPError, _parameters: dict[str, Any]
) -> None:
    if error.headers:
        response.set_headers(error.headers)
    name, message = http_problem(error.status_code)
    if isinstance(error, HttpProblem):
        message = error.message
    elif isinstance(error, falcon.HTTPRouteNotFound):
        message = unknown_path(request.path)
    elif isinstance(error, falcon.HTTPMethodNotAllowed):
        allowed = dict(error.headers or {}).get("Allow", "")
        message = unsupported_method(request.method, filter(None, allowed.split(", ")))
    _respond(request, response, error.status_code, name, message)


def _on_unexpected_error(
    request: falcon.Request, response: falcon.Response, error: Exception, _parameters: dict[str, Any]
) -> None:
    identity = request_id(request)
    _log.error(
        "request %s failed: unexpected error", identity, exc_info=error, extra={"request_id": identity}
    )
    _respond(request, response, 500, *_INTERNAL)


def _respond(
    request: falcon.Request,
    response: falcon.Response,
    status: int,
    name: str,
    message: str,
    *,
    details: dict[str, Any] | None = None,
) -> None:
    identity = request_id(request)
    if not request.env.get("simplestack.audited"):
        client = client_address(request.env) or "-"
        what = shortened_line(f": {request.method} {request.path}")
        REJECTIONS.log(identity, what, status, name, message=message, client=client)
    response.status = status
    response.content_type = falcon.MEDIA_JSON
    response.set_header(HEADER, identity)
    response.data = problem_body(name, message, identity, details)
