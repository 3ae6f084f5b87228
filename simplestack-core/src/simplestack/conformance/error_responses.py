"""Errors of operations, the same for Stack and HTTP."""

from collections.abc import Mapping
from typing import Any

NOT_IMPLEMENTED = "NotImplementedError"

#: HTTP status of each error.
STATUSES = {
    "InvalidArguments": 400,
    "Unauthorized": 401,
    "PermissionDenied": 403,
    "HostNotAllowed": 403,
    "EntityNotFound": 404,
    "HypervisorNotFound": 404,
    "RouteNotFound": 404,
    "MethodNotAllowed": 405,
    "RequestTimeout": 408,
    "InvalidState": 409,
    "Conflict": 409,
    "Busy": 409,
    "LengthRequired": 411,
    "PayloadTooLarge": 413,
    "UnsupportedMediaType": 415,
    "InternalError": 500,
    NOT_IMPLEMENTED: 501,
    "HypervisorError": 502,
    "HypervisorUnavailable": 503,
    "ServiceBusy": 503,
    "HypervisorTimeout": 504,
    "InsufficientStorage": 507,
}


class ErrorResponse(Exception):
    """An operation failed.

    :param name: name of the error, the ``error`` field
    :param details: additional fields, such as ``current`` and ``needed``
    """

    def __init__(self, operation: str, name: str, message: str, details: Mapping[str, Any]) -> None:
        super().__init__(f"{operation} failed with {name}: {message}")
        self.operation = operation
        self.name = name
        self.message = message
        self.details = dict(details)
