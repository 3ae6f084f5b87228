"""What can go wrong, as plugins raise it and clients read it. Nothing here knows HTTP.

``name`` is what clients see as ``error``; ``details`` are further members of the error's body, so they
must never hold a secret. Messages say what was tried, what was found and what to do.
"""

from collections.abc import Mapping
from typing import Self


class SimplestackError(Exception):
    """The root of all errors that a client may see.

    :param message: what was wrong and what to do, for the client's eyes
    :param details: JSON values that become members of the error's body
    """

    name = "InternalError"
    retry_after_seconds: int | None = None

    def __init__(self, message: str, details: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.message: str = message
        self.details: dict[str, object] = dict(details or {})


class InvalidArguments(SimplestackError):
    """A field or a query parameter of the request is missing, unknown, of a wrong type or out of range."""

    name = "InvalidArguments"


class Unauthorized(SimplestackError):
    """No credentials, unreadable ones, or the hypervisor refused them."""

    name = "Unauthorized"


class PermissionDenied(SimplestackError):
    """The caller is known and may not do this."""

    name = "PermissionDenied"


class HostNotAllowed(PermissionDenied):
    """The settings do not let this hypervisor's plugin connect to that host."""

    name = "HostNotAllowed"


class EntityNotFound(SimplestackError):
    """The thing that an id names does not exist, or does not belong to the guest named with it.

    :param entity: the entity's type, such as ``Guest``
    :param entity_id: the id as the client gave it
    """

    name = "EntityNotFound"

    def __init__(self, entity: str, entity_id: str) -> None:
        super().__init__(f"{entity}:{entity_id} not found")
        self.entity = entity
        self.entity_id = entity_id


class HypervisorNotFound(SimplestackError):
    """No installed and enabled plugin has this name."""

    name = "HypervisorNotFound"


class Conflict(SimplestackError):
    """A name, a device or an address is taken, or an id is ambiguous."""

    name = "Conflict"


class InvalidState(SimplestackError):
    """The guest's power state does not allow this.

    Clients read ``cannot delete guest 'web' while it is STARTED: it must be STOPPED``.

    :param attempt: what was tried, such as ``delete guest 'web'``
    :param current: the state found, such as ``STARTED``
    :param needed: the state or states that would allow it
    """

    name = "InvalidState"

    def __init__(self, attempt: str, current: str, needed: str) -> None:
        super().__init__(
            f"cannot {attempt} while it is {current}: it must be {needed}",
            {"current": current, "needed": needed},
        )

    @classmethod
    def of_template(cls, attempt: str, needed: str = "a guest made from the template") -> Self:
        """Return the error for an operation that no template allows, whatever its power state."""
        error = cls(attempt, "a template", needed)
        error.details["current"] = "TEMPLATE"
        return error


def require_state(current: str, *needed: str, attempt: str) -> None:
    """Check that a guest is in one of the power states that an operation needs.

    :param current: the guest's state
    :param needed: the states that allow the operation
    :param attempt: what was tried, such as ``delete guest 'web'``
    :raises InvalidState: the guest is in another state
    """
    if current not in needed:
        raise InvalidState(attempt, current, " or ".join(needed))


class Busy(SimplestackError):
    """Another operation holds the guest; the same request may succeed soon."""

    name = "Busy"

    def __init__(self, message: str, retry_after_seconds: int = 5) -> None:
        super().__init__(message)
        self.retry_after_seconds: int | None = retry_after_seconds


class LengthRequired(SimplestackError):
    """The hypervisor cannot take a body of unknown length: send Content-Length."""

    name = "LengthRequired"


class PayloadTooLarge(SimplestackError):
    """The body is larger than the service accepts."""

    name = "PayloadTooLarge"


class RequestTimeout(SimplestackError):
    """The request did not arrive in time, or slower than the service accepts."""

    name = "RequestTimeout"


class ServiceBusy(SimplestackError):
    """The service already waits for as many slow clients as it can. Retry later, or over a faster link."""

    name = "ServiceBusy"

    def __init__(self, message: str, retry_after_seconds: int = 10) -> None:
        super().__init__(message)
        self.retry_after_seconds: int | None = retry_after_seconds


class OperationNotSupported(SimplestackError):
    """The plugin does not implement the operation, or this hypervisor cannot do it.

    Plugins raise the built-in :class:`NotImplementedError`; it becomes this.
    """

    name = "NotImplementedError"


class HypervisorError(SimplestackError):
    """The hypervisor failed the operation.

    :param message: what was tried, with the hypervisor's own text
    :param code: the hypervisor's own error code
    """

    name = "HypervisorError"

    def __init__(self, message: str, code: str | int | None = None) -> None:
        super().__init__(message, {} if code is None else {"code": code})


class HypervisorUnavailable(SimplestackError):
    """Cannot connect, the connection broke, or no session is free. Retry later.

    The session it happened on is discarded.
    """

    name = "HypervisorUnavailable"

    def __init__(self, message: str, retry_after_seconds: int = 10) -> None:
        super().__init__(message)
        self.retry_after_seconds: int | None = retry_after_seconds


class SessionExpired(HypervisorUnavailable):
    """The hypervisor has forgotten the session, and nothing has been done on it yet.

    Core makes a new session and calls the hook once more, with the same arguments. So a hook may raise it
    only while it has changed nothing and has read nothing of a client's stream.
    """


class HypervisorTimeout(SimplestackError):
    """The hypervisor did not answer in time. The session it happened on is discarded."""

    name = "HypervisorTimeout"


class OperationTimeout(HypervisorTimeout):
    """The hypervisor answers, but what was asked for did not happen in time.

    A guest that ignores its ACPI power button, for example. The session stays in use.
    """


class InsufficientStorage(SimplestackError):
    """The storage has no room for this."""

    name = "InsufficientStorage"
