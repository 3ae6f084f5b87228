"""Rules: which calls they match, and what goes wrong in them."""

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

#: Hooks by name of an operation or a hook.
_HOOKS = {hook: (hook,) for hook in HOOKS} | {operation.name: operation.hooks for operation in OPERATIONS}
_EVERY = "*"
#: An import into a storage: an operation with its own path, but without its own hook.
_INTO_STORAGE = "storage_guest_import"
_STREAMING = frozenset(
    {"guest_export"} | {row.name for row in OPERATIONS if isinstance(row.body, StreamBody)}
)
_ERRORS: dict[str, type[SimplestackError]] = {
    kind.name: kind
    for kind in (getattr(simplestack, name) for name in sorted(simplestack.__all__, reverse=True))
    if isinstance(kind, type) and issubclass(kind, SimplestackError) and kind is not SimplestackError
}
#: Maximum number of rules in a file. Each call reads all of them.
MAX_RULES = 1_000
#: Maximum number of nested lists and objects in `details`.
_MAX_LEVELS = 16
#: Default details of errors.
_DETAILS: dict[str, dict[str, Any]] = {
    "InvalidState": {"current": "STARTED", "needed": "STOPPED"},
    "HypervisorError": {"code": "FAULT_INJECTION"},
}


class Defect(Exception):
    """Raised by a rule with the error ``InternalError``, like an unexpected error of a plugin."""


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A rule: selects calls, and says what goes wrong in them."""

    #: An operation, a hook, or ``*`` for all.
    operation: str = _EVERY
    #: Name of a hypervisor, not an alias. Default: all.
    hypervisor: str | None = None
    #: Host as in the path, with its port if it has one. Default: all.
    host: str | None = None
    #: ID of the guest in the call. Default: all calls, with a guest or without.
    guest: str | None = None
    #: ``delay`` waits for ``delay_seconds``. ``error`` fails. ``hang`` waits until the rule is removed, or
    #: until the operation's time limit (``call_timeout_seconds``, or ``long_call_timeout_seconds`` for
    #: operations that move data): then the client gets 504, as for a hypervisor that hangs.
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
    #: The first matching call that it applies to. 1 is the first call after the rule was added.
    on_call: Count = 1
    #: Number of calls that it applies to. Default: no limit.
    times: Count | None = None
    #: ``after``: the rule applies when the operation has taken effect.
    when: Literal["before", "after"] = "before"
    #: For exports and imports: apply the rule after this number of bytes of the stream.
    after_bytes: Annotated[int, Meta(ge=0)] | None = None

    def __post_init__(self) -> None:
        """Check that the fields fit together."""
        if self.operation != _EVERY and self.operation not in _HOOKS:
            raise ValueError(f"no operation {self.operation!r}{_hint(self.operation, _HOOKS)}")
        if (self.action == "error") != (self.error is not None):
            raise ValueError(
                "`error` is required with the action `error`, and not allowed with other actions"
            )
        if self.error is not None and self.error not in (*_ERRORS, SimplestackError.name):
            raise ValueError(f"no error {self.error!r}{_hint(self.error, _ERRORS)}")
        if (self.action == "delay") != (self.delay_seconds > 0):
            raise ValueError(
                "`delay_seconds` is required with the action `delay`, and not allowed with other actions"
            )
        if self.action != "error" and (self.message or self.details or self.retry_after_seconds):
            raise ValueError("`message`, `details` and `retry_after_seconds` require the action `error`")
        if _is_deeper(self.details, _MAX_LEVELS):
            raise ValueError(f"`details` is nested too deeply: send at most {_MAX_LEVELS} levels")
        if self.after_bytes is not None and (self.operation not in _STREAMING or self.when == "after"):
            streaming = ", ".join(sorted(_STREAMING))
            raise ValueError(f'`after_bytes` requires `when` "before" and one of the operations {streaming}')

    def matches(self, hook: str, arguments: Mapping[str, Any], context: CallContext) -> bool:
        """Return whether the rule matches a call."""
        if self.operation != _EVERY and hook not in _HOOKS[self.operation]:
            return False
        if self.operation == _INTO_STORAGE and arguments.get("storage_id") is None:
            return False
        wanted = (self.hypervisor, self.host and self.host.lower(), self.guest)
        actual = (context.hypervisor, context.host.lower(), arguments.get("guest_id"))
        return all(one is None or one == other for one, other in zip(wanted, actual, strict=True))

    def applies(self, call: int) -> bool:
        """Return whether the rule applies to the n-th call that it matches."""
        return call >= self.on_call and (self.times is None or call < self.on_call + self.times)

    def exception(self, hook: str, number: int) -> Exception:
        """Return the error that a call fails with.

        :param number: ID of the rule
        """
        name = self.error or SimplestackError.name
        message = self.message or f"rule {number} of fault injection makes {hook} fail"
        if name == SimplestackError.name:
            return Defect(message)
        kind = _ERRORS[name]
        error = kind.__new__(kind)  # skips its own arguments: message and details are known
        SimplestackError.__init__(error, message, _DETAILS.get(name, {}) | self.details)
        if self.retry_after_seconds is not None:
            error.retry_after_seconds = self.retry_after_seconds
        return error


class Report(Struct, frozen=True, kw_only=True):
    """A rule and its counts."""

    id: int
    rule: Rule
    #: Number of calls that it matched.
    calls: int
    #: Number of calls that it applied to.
    hits: int


class CallCount(Struct, frozen=True, kw_only=True):
    """How often a hook was called at a host."""

    hypervisor: str
    host: str
    operation: str
    calls: int


def _is_deeper(value: Any, levels: int) -> bool:
    """Return whether a JSON value has more than this number of nested lists and objects."""
    if not isinstance(value, dict | list):
        return False
    items = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(item, levels - 1) for item in items)


def _hint(word: str, known: Mapping[str, object]) -> str:
    return did_you_mean(word, known) or f"; choose from {', '.join(sorted(known))}"
