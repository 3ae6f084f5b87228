"""HTTP statuses: of each error and of each hook, and how the log rates them."""

from typing import Literal

from simplestack import errors
from simplestack.errors import SimplestackError
from simplestack.operations.table import OPERATIONS

Level = Literal["info", "warning", "error"]

_OF_ERRORS: dict[type[SimplestackError], int] = {
    errors.InvalidArguments: 400,
    errors.Unauthorized: 401,
    errors.PermissionDenied: 403,
    errors.EntityNotFound: 404,
    errors.HypervisorNotFound: 404,
    errors.InvalidState: 409,
    errors.Conflict: 409,
    errors.Busy: 409,
    errors.RequestTimeout: 408,
    errors.LengthRequired: 411,
    errors.PayloadTooLarge: 413,
    errors.OperationNotSupported: 501,
    errors.HypervisorError: 502,
    errors.HypervisorUnavailable: 503,
    errors.ServiceBusy: 503,
    errors.HypervisorTimeout: 504,
    errors.InsufficientStorage: 507,
}
#: Statuses of successful operations, by the hook that they call.
SUCCESS_STATUSES = {hook: operation.status for operation in OPERATIONS for hook in operation.hooks}


def status_of(kind: type[BaseException]) -> int:
    """Return the HTTP status of an error class: its own, or that of its nearest base class; otherwise 500."""
    for known in kind.__mro__:
        if known in _OF_ERRORS:
            return _OF_ERRORS[known]
    return 500


def level_of(status: int) -> Level:
    """Return the log level for the response to a request.

    An error of the service is ``error``. An error of a hypervisor, and a rejected token or login, is
    ``warning``. Everything else is ``info``: the client can tell from its response.
    """
    if status == 500:
        return "error"
    return "warning" if status == 401 or status > 501 else "info"
