"""The error responses of operations, from the ``:raises:`` lines of their hookspecs."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any

from simplestack import errors
from simplestack.docstrings import read_docstring
from simplestack.errors import SimplestackError
from simplestack.operations.model import JsonBody, Operation
from simplestack.operations.statuses import status_of
from simplestack.server.problems import HTTP_ERRORS, http_problem

#: Errors that every operation can return.
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
    "description": "An error. Some errors have additional fields.",
    "type": "object",
    "properties": {
        "error": {"type": "string", "description": "Name of the error, for programs."},
        "message": {
            "type": "string",
            "description": "What was wrong and what to do, for people. The wording may change.",
        },
        "request_id": {"type": "string", "description": "ID of the request in the service's log."},
        "current": {"type": "string", "description": "`InvalidState`: the current state."},
        "needed": {"type": "string", "description": "`InvalidState`: the states that allow the operation."},
        "code": {"description": "`HypervisorError`: the hypervisor's own error code."},
        "operation": {
            "type": "string",
            "description": "`NotImplementedError`: the operation that is not supported.",
        },
        "hypervisor": {
            "type": "string",
            "description": "`NotImplementedError`: the hypervisor that does not support it.",
        },
    },
    "required": ["error", "message", "request_id"],
}
#: Why operations that read no JSON body return 415.
_ENCODED = "the body has a Content-Encoding"
#: Statuses with a Retry-After header.
_RETRIED = {status_of(errors.Busy), status_of(errors.HypervisorUnavailable)}


def failures(operations: Iterable[Operation], specs: Iterable[Callable[..., Any]]) -> dict[str, Any]:
    """Return the OpenAPI error responses of operations.

    :param operations: operations with the same method and path
    :param specs: the hookspecs that they call
    """
    reasons: defaultdict[int, dict[str, str]] = defaultdict(dict)
    for kind in (*_ANY, *(kind for operation in operations for kind in _by_shape(operation))):
        reasons[status_of(kind)][kind.name] = _meaning(kind)
    name, message = HTTP_ERRORS[HTTPStatus.UNSUPPORTED_MEDIA_TYPE]
    takes_json = any(isinstance(operation.body, JsonBody) for operation in operations)
    reasons[HTTPStatus.UNSUPPORTED_MEDIA_TYPE][name] = message if takes_json else _ENCODED
    for spec in specs:
        for name, condition in read_docstring(spec).raises.items():
            raised: type[SimplestackError] = getattr(errors, name)
            when = f"no such {condition}" if raised is errors.EntityNotFound else condition
            known = reasons[status_of(raised)].get(raised.name, "").rstrip(".")
            is_new = known in {"", when, _meaning(raised).rstrip(".")}
            reasons[status_of(raised)][raised.name] = when if is_new else f"{known}; {when}"
    return {str(status): _response(status, reasons[status]) for status in sorted(reasons)}


def _by_shape(operation: Operation) -> Iterator[type[SimplestackError]]:
    """Yield the errors of an operation that has a body, or that changes a guest."""
    if operation.body is not None:
        yield errors.PayloadTooLarge
        yield errors.RequestTimeout
        yield errors.ServiceBusy
    if operation.method != "GET" and "{guest_id}" in operation.path:
        yield errors.Busy


def page_failures(kinds: Iterable[type[SimplestackError]]) -> dict[str, Any]:
    """Return the OpenAPI error responses for errors with different statuses, and for an internal error."""
    every: tuple[type[SimplestackError], ...] = (*kinds, SimplestackError)
    reasons = {status_of(kind): {kind.name: _meaning(kind)} for kind in every}
    return {str(status): _response(status, its) for status, its in reasons.items()}


def problem_failure(status: int, name: str, when: str) -> dict[str, Any]:
    """Return the OpenAPI error response for an error that has no class."""
    return {str(status): _response(status, {name: when})}


def _meaning(kind: type[SimplestackError]) -> str:
    """Return when an error is returned, in words for clients."""
    if kind is SimplestackError:  # only a defect has no class of its own
        return http_problem(500)[1]
    return read_docstring(kind).summary


def share(paths: dict[str, Any]) -> dict[str, Any]:
    """Replace the error responses in paths with references, and return the responses by name."""
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
    return {
        "description": "\n".join([f"{HTTPStatus(status).phrase}.", "", *lines]),
        "headers": headers,
        # Generators of clients make a class for each schema that is not a reference.
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        "x-simplestack-errors": sorted(reasons),
    }
