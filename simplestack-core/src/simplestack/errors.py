"""The errors that plugins raise and clients read. Nothing here knows HTTP.

``name`` is the ``error`` field of the response, ``details`` are its additional fields: never put a secret
into them. A message says what was tried, what was wrong and what to do.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Self, TypeVar

T = TypeVar("T")

#: ``code`` of a :class:`HypervisorError` if it is unknown whether a change took effect.
UNKNOWN_OUTCOME = "UNKNOWN_OUTCOME"


class SimplestackError(Exception):
    """The base class of all errors that a client may see.

    :param message: what was wrong and what to do, in words for the client
    :param details: JSON values that become fields of the error response
    """

    name = "InternalError"
    retry_after_seconds: int | None = None

    def __init__(self, message: str, details: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.message: str = message
        self.details: dict[str, object] = dict(details or {})


class InvalidArguments(SimplestackError):
    """A field or query parameter of the request is missing, unknown, of the wrong type or out of range."""

    name = "InvalidArguments"


class Unauthorized(SimplestackError):
    """The credentials are missing or malformed, or the hypervisor rejected them."""

    name = "Unauthorized"


class PermissionDenied(SimplestackError):
    """The user does not have permission for this operation."""

    name = "PermissionDenied"


class HostNotAllowed(PermissionDenied):
    """The host is not in the service's ``allowed_hosts`` for this hypervisor."""

    name = "HostNotAllowed"


class EntityNotFound(SimplestackError):
    """No entity has this id, or it belongs to another guest than the one in the request.

    :param entity: the entity's type, such as ``Guest``
    :param entity_id: the id as the client gave it
    """

    name = "EntityNotFound"
    entity: str = ""
    entity_id: str = ""

    def __init__(self, entity: str, entity_id: str) -> None:
        super().__init__(f"{entity}:{entity_id} not found")
        self.entity = entity
        self.entity_id = entity_id


class HypervisorNotFound(SimplestackError):
    """No plugin of this name is installed and enabled."""

    name = "HypervisorNotFound"


class Conflict(SimplestackError):
    """A name, a device or an address is already in use, or a name is ambiguous."""

    name = "Conflict"

    @classmethod
    def of_name(cls, kind: str, name: str) -> Self:
        """Return the error for a name that is already in use.

        :param kind: what has the name, such as ``guest``
        """
        return cls(f"another {kind} has the name {name!r}: choose another name")

    @classmethod
    def of_mac(cls, mac: str, guest: str) -> Self:
        """Return the error for a MAC address that is already in use.

        :param guest: name of the guest that has it
        """
        return cls(f"guest {guest!r} already has an interface {mac}: choose another MAC address")

    @classmethod
    def of_vlan(cls, vlan: int, network: str) -> Self:
        """Return the error for a VLAN that another network of the same physical interface uses.

        :param network: name of that network
        """
        return cls(f"network {network!r} already uses VLAN {vlan}: use this network, or another `vlan`")


class InvalidState(SimplestackError):
    """The guest's power state does not allow this operation.

    Clients read ``cannot delete guest 'web' while it is STARTED: it must be STOPPED``.

    :param attempt: what was tried, such as ``delete guest 'web'``
    :param current: the current state, such as ``STARTED``
    :param needed: the state or states that allow it
    """

    name = "InvalidState"

    def __init__(self, attempt: str, current: str, needed: str) -> None:
        super().__init__(
            f"cannot {attempt} while it is {current}: it must be {needed}",
            {"current": current, "needed": needed},
        )

    @classmethod
    def of_template(cls, attempt: str) -> Self:
        """Return the error for an operation that is not allowed on templates."""
        needed = "a guest again (update it with `template` false), or create a guest from it"
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


def require_one(
    found: Sequence[T], entity: str, id_or_name: str, *, id_of: Callable[[T], str], what: str = "name"
) -> T:
    """Return the only entity that has what a client has sent.

    :param found: all that have it
    :param entity: their type, such as ``Network``
    :param id_or_name: what the client has sent
    :param id_of: returns the ID of one
    :param what: what the client has sent: a name, or an ID that several may have, such as ``BIOS UUID``
    :raises EntityNotFound: there is none
    :raises Conflict: there are several
    """
    if not found:
        raise EntityNotFound(entity, id_or_name)
    if len(found) > 1:
        ids = ", ".join(sorted(set(map(id_of, found))))
        raise Conflict(f"the {what} {id_or_name!r} is ambiguous: use one of these IDs: {ids}")
    return found[0]


class Busy(SimplestackError):
    """Another operation on the guest is in progress. Retry later."""

    name = "Busy"

    def __init__(self, message: str, retry_after_seconds: int = 5) -> None:
        super().__init__(message)
        self.retry_after_seconds: int | None = retry_after_seconds


class LengthRequired(SimplestackError):
    """The hypervisor cannot read a body of unknown length: send Content-Length."""

    name = "LengthRequired"


class PayloadTooLarge(SimplestackError):
    """The body is larger than the service accepts."""

    name = "PayloadTooLarge"


class RequestTimeout(SimplestackError):
    """The request did not arrive in time, or arrived more slowly than the service accepts."""

    name = "RequestTimeout"


class ServiceBusy(SimplestackError):
    """The service already serves its maximum number of slow clients. Retry later, or over a faster link."""

    name = "ServiceBusy"

    def __init__(self, message: str, retry_after_seconds: int = 10) -> None:
        super().__init__(message)
        self.retry_after_seconds: int | None = retry_after_seconds


class OperationNotSupported(SimplestackError):
    """The plugin does not implement this operation, or the hypervisor does not support it.

    Plugins raise the built-in :class:`NotImplementedError`, which core converts to this error.
    """

    name = "NotImplementedError"


class HypervisorError(SimplestackError):
    """The hypervisor reported an error.

    :param message: what was tried, with the hypervisor's own text
    :param code: the hypervisor's own error code
    """

    name = "HypervisorError"

    def __init__(self, message: str, code: str | int | None = None) -> None:
        super().__init__(message, {} if code is None else {"code": code})


class HypervisorUnavailable(SimplestackError):
    """The hypervisor cannot be reached, the connection broke, or no session is free. Retry later.

    Core discards the session.
    """

    name = "HypervisorUnavailable"

    def __init__(self, message: str, retry_after_seconds: int = 10) -> None:
        super().__init__(message)
        self.retry_after_seconds: int | None = retry_after_seconds


class SessionExpired(HypervisorUnavailable):
    """The hypervisor has ended the session, and the hook has done nothing yet.

    Core connects again and calls the hook once more with the same arguments. So raise it only before the hook
    has changed anything or read from the client's stream.
    """


class HypervisorTimeout(SimplestackError):
    """The hypervisor did not respond in time.

    Core discards the session.
    """

    name = "HypervisorTimeout"


class OperationTimeout(HypervisorTimeout):
    """The hypervisor responds, but the operation did not finish in time.

    For example, the guest ignored the ACPI shutdown request. The session stays in use.
    """


class InsufficientStorage(SimplestackError):
    """The storage does not have enough free space."""

    name = "InsufficientStorage"
