"""Rules: which calls they are about, and what happens to these calls."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

import simplestack
from simplestack import CallContext, SimplestackError
from simplestack.operations.model import StreamBody
from simplestack.operations.table import HOOKS, OPERATIONS
from simplestack.suggestions import did_you_mean

Seconds = Annotated[float, Meta(ge=0, le=3600, extra={"words": "a number of seconds"})]
Count = Annotated[int, Meta(ge=1, le=1_000_000_000)]

#: The hooks that the name of an operation, or of a hook, stands for.
_HOOKS = {hook: (hook,) for hook in HOOKS} | {operation.name: operation.hooks for operation in OPERATIONS}
_EVERY = "*"
#: An import into a storage, which has a path of its own, but no hook.
_INTO_STORAGE = "storage_guest_import"
_STREAMING = frozenset(
    {"guest_export"} | {row.name for row in OPERATIONS if isinstance(row.body, StreamBody)}
)
_ERRORS: dict[str, type[SimplestackError]] = {
    kind.name: kind
    for kind in (getattr(simplestack, name) for name in sorted(simplestack.__all__, reverse=True))
    if isinstance(kind, type) and issubclass(kind, SimplestackError) and kind is not SimplestackError
}
#: Fields that clients find in these errors.
_DETAILS: dict[str, dict[str, Any]] = {
    "InvalidState": {"current": "STARTED", "needed": "STOPPED"},
    "HypervisorError": {"code": "FAULT_INJECTION"},
}


class Defect(Exception):
    """What a rule with the error ``InternalError`` raises: as a plugin with a defect does."""


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What happens to some calls of some operations."""

    #: An operation, a hook, or ``*`` for all.
    operation: str = _EVERY
    #: Name of a hypervisor, not an alias. Default: all.
    hypervisor: str | None = None
    #: Host as in the path, with its port if it has one. Default: all.
    host: str | None = None
    #: Id of the guest that the call is about. Default: all calls, with a guest or without.
    guest: str | None = None
    #: ``delay`` waits for ``delay_seconds``. ``error`` fails. ``hang`` waits until the rule is removed, or
    #: until the operation's time limit has passed (``call_timeout_seconds``, or
    #: ``long_call_timeout_seconds`` where data is moved): then it is 504, as for a hypervisor that hangs.
    #: ``drop`` closes the client's connection without a response.
    action: Literal["delay", "error", "hang", "drop"]
    delay_seconds: Seconds = 0
    #: Name of the error, as in responses.
    error: str | None = None
    #: The error's message.
    message: str | None = None
    #: Further fields of the error.
    details: dict[str, Any] = {}
    #: The error's ``Retry-After``.
    retry_after_seconds: Annotated[int, Meta(ge=0, le=86400)] | None = None
    #: The first call that it happens to, counted from when the rule was made.
    on_call: Count = 1
    #: To how many calls it happens. Default: all from there on.
    times: Count | None = None
    #: ``after``: the operation takes effect, and then the client is told otherwise.
    when: Literal["before", "after"] = "before"
    #: Of exports and imports: how many bytes of the stream pass before it happens.
    after_bytes: Annotated[int, Meta(ge=0)] | None = None

    def __post_init__(self) -> None:
        """Reject a rule that could not do what it says."""
        if self.operation != _EVERY and self.operation not in _HOOKS:
            raise ValueError(f"no operation {self.operation!r}{_hint(self.operation, _HOOKS)}")
        if (self.action == "error") != (self.error is not None):
            raise ValueError("`error` belongs to the action `error`, which needs it")
        if self.error is not None and self.error not in (*_ERRORS, SimplestackError.name):
            raise ValueError(f"no error {self.error!r}{_hint(self.error, _ERRORS)}")
        if (self.action == "delay") != (self.delay_seconds > 0):
            raise ValueError("`delay_seconds` belongs to the action `delay`, which needs it")
        if self.action != "error" and (self.message or self.details or self.retry_after_seconds):
            raise ValueError("`message`, `details` and `retry_after_seconds` belong to the action `error`")
        if self.after_bytes is not None and (self.operation not in _STREAMING or self.when == "after"):
            raise ValueError(
                f'`after_bytes` belongs to one of {", ".join(sorted(_STREAMING))}, with `when` "before"'
            )

    def matches(self, hook: str, arguments: Mapping[str, Any], context: CallContext) -> bool:
        """Tell whether a call is one that the rule is about."""
        if self.operation != _EVERY and hook not in _HOOKS[self.operation]:
            return False
        if self.operation == _INTO_STORAGE and arguments.get("storage_id") is None:
            return False
        wanted = (self.hypervisor, self.host and self.host.lower(), self.guest)
        actual = (context.hypervisor, context.host.lower(), arguments.get("guest_id"))
        return all(one is None or one == other for one, other in zip(wanted, actual, strict=True))

    def is_due(self, call: int) -> bool:
        """Tell whether it happens to the n-th call that it is about."""
        return call >= self.on_call and (self.times is None or call < self.on_call + self.times)

    def exception(self, hook: str, number: int) -> Exception:
        """Return the error that a call fails with.

        :param number: the rule's id
        """
        name = self.error or SimplestackError.name
        message = self.message or f"rule {number} of fault injection lets {hook} fail"
        if name == SimplestackError.name:
            return Defect(message)
        kind = _ERRORS[name]
        error = kind.__new__(kind)  # its own arguments are of no use here: message and details are given
        SimplestackError.__init__(error, message, _DETAILS.get(name, {}) | self.details)
        if self.retry_after_seconds is not None:
            error.retry_after_seconds = self.retry_after_seconds
        return error


class Report(Struct, frozen=True, kw_only=True):
    """A rule and what has become of it."""

    id: int
    rule: Rule
    #: Calls that it was about.
    calls: int
    #: Calls that it happened to.
    hits: int


class CallCount(Struct, frozen=True, kw_only=True):
    """How often a hook was called at a host."""

    hypervisor: str
    host: str
    operation: str
    calls: int


def _hint(word: str, known: Mapping[str, object]) -> str:
    return did_you_mean(word, known) or f"; there are: {', '.join(sorted(known))}"
