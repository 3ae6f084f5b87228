"""The answers of operations that fail: which errors each can have, from what its hookspecs raise."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any

from simplestack import errors
from simplestack.docstrings import read_docstring
from simplestack.errors import SimplestackError
from simplestack.operations.model import JsonBody, Operation
from simplestack.server.problems import HTTP_ERRORS, status_of

#: What any operation of any hypervisor can answer.
_ANY: tuple[type[SimplestackError], ...] = (
    errors.InvalidArguments,
    errors.Unauthorized,
    errors.PermissionDenied,
    errors.HostNotAllowed,
    errors.HypervisorNotFound,
    SimplestackError,
    errors.OperationNotSupported,
    errors.HypervisorError,
    errors.HypervisorUnavailable,
    errors.HypervisorTimeout,
)

#: The schema of every error.
ERROR_SCHEMA: dict[str, Any] = {
    "title": "Error",
    "description": "What every error looks like. Some have further members.",
    "type": "object",
    "properties": {
        "error": {"type": "string", "description": "The error's name, for programs."},
        "message": {"type": "string", "description": "What was wrong and what to do, for people."},
        "request_id": {"type": "string", "description": "Joins the answer with the service's log."},
        "current": {"type": "string", "description": "`InvalidState`: the state found."},
        "needed": {"type": "string", "description": "`InvalidState`: what would allow it."},
        "code": {"description": "`HypervisorError`: the hypervisor's own error code."},
        "operation": {"type": "string", "description": "`NotImplementedError`: the hook that is missing."},
        "hypervisor": {"type": "string", "description": "`NotImplementedError`: whose it is."},
    },
    "required": ["error", "message", "request_id"],
}
#: What any operation rejects in a body, whether it reads the body or not.
_ENCODED = "the body has a Content-Encoding"
#: Statuses whose clients are told when to try again.
_RETRIED = {status_of(errors.Busy), status_of(errors.HypervisorUnavailable)}


def failures(operations: Iterable[Operation], specs: Iterable[Callable[..., Any]]) -> dict[str, Any]:
    """Return the OpenAPI responses for what can go wrong.

    :param operations: those that share a method and a path
    :param specs: the hookspecs that they call
    """
    reasons: defaultdict[int, dict[str, str]] = defaultdict(dict)
    for kind in (*_ANY, *(kind for operation in operations for kind in _by_shape(operation))):
        reasons[status_of(kind)][kind.name] = read_docstring(kind).summary
    name, message = HTTP_ERRORS[HTTPStatus.UNSUPPORTED_MEDIA_TYPE]
    takes_json = any(isinstance(operation.body, JsonBody) for operation in operations)
    reasons[HTTPStatus.UNSUPPORTED_MEDIA_TYPE][name] = message if takes_json else _ENCODED
    for spec in specs:
        for name, when in read_docstring(spec).raises.items():
            raised: type[SimplestackError] = getattr(errors, name)
            known = reasons[status_of(raised)].get(raised.name, "")
            is_new = known in {"", when, read_docstring(raised).summary}
            reasons[status_of(raised)][raised.name] = when if is_new else f"{known}; {when}"
    return {str(status): _response(status, reasons[status]) for status in sorted(reasons)}


def _by_shape(operation: Operation) -> Iterator[type[SimplestackError]]:
    """Yield what an operation can answer because of its body, or because it changes a guest."""
    if operation.body is not None:
        yield errors.PayloadTooLarge
        yield errors.RequestTimeout
        yield errors.ServiceBusy
    if operation.method != "GET" and "{guest_id}" in operation.path:
        yield errors.Busy


def page_failures(kinds: Iterable[type[SimplestackError]]) -> dict[str, Any]:
    """Return the OpenAPI responses for some errors, each with a status of its own, and for a defect."""
    every: tuple[type[SimplestackError], ...] = (*kinds, SimplestackError)
    reasons = {status_of(kind): {kind.name: read_docstring(kind).summary} for kind in every}
    return {str(status): _response(status, its) for status, its in reasons.items()}


def share(paths: dict[str, Any]) -> dict[str, Any]:
    """Take the failures that several operations have in common out of the paths, and return them by name."""
    shared: dict[str, Any] = {}
    names: dict[str, str] = {}
    for item in paths.values():
        for operation in item.values():
            for status, response in operation["responses"].items():
                if status < "400":
                    continue
                text = response["description"]
                if text not in names:
                    phrase = HTTPStatus(int(status)).phrase.title().replace(" ", "")
                    number = sum(name.rstrip("0123456789") == phrase for name in shared) + 1
                    names[text] = phrase if number == 1 else f"{phrase}{number}"
                    shared[names[text]] = response
                operation["responses"][status] = {"$ref": f"#/components/responses/{names[text]}"}
    return shared


def _response(status: int, reasons: dict[str, str]) -> dict[str, Any]:
    lines = [f"- `{name}`: {when}" for name, when in sorted(reasons.items())]
    headers = {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}}
    if status in _RETRIED:
        headers["Retry-After"] = {"$ref": "#/components/headers/RetryAfter"}
    schema = {
        "allOf": [
            {"$ref": "#/components/schemas/Error"},
            {"type": "object", "properties": {"error": {"enum": sorted(reasons)}}},
        ]
    }
    return {
        "description": "\n".join([f"{HTTPStatus(status).phrase}.", "", *lines]),
        "headers": headers,
        "content": {"application/json": {"schema": schema}},
    }
