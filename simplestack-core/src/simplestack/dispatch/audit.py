"""The audit log: one JSON line for each operation, successful or not."""

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct, json, to_builtins

from simplestack.dispatch.audit_output import AuditOutput
from simplestack.dispatch.streams import WatchedChunks
from simplestack.dispatch.warnings import current_warnings
from simplestack.entities.call_context import CallContext
from simplestack.entities.transfer import Export
from simplestack.errors import SimplestackError
from simplestack.markers import hookimpl
from simplestack.operations.table import OPERATIONS
from simplestack.wording import one_line


class AuditLine(Struct, kw_only=True, omit_defaults=True):
    """An audit line."""

    time: datetime
    request_id: str
    hypervisor: str
    host: str
    user: str
    client: str | None = None
    operation: str
    #: The operation of the request, if a service plugin has called this one.
    nested_in: str | None = None
    #: IDs and names in the request: guest, disk, snapshot and so on.
    ids: dict[str, str]
    #: ``ok``, or the name of the error.
    outcome: str
    #: The shortened message of the error that the client got.
    reason: str | None = None
    duration_ms: float
    #: Whether the operation ended after the client had got 504.
    late: bool = False
    #: Warnings in the response.
    warnings: list[str] = []
    #: For exports: number of sent bytes, without the last chunk if the client disconnected.
    bytes: int | None = None


#: A message may contain long text from a client.
_MAX_REASON_LENGTH = 300
_encode = json.Encoder().encode
_output = AuditOutput()
_all_running: "dict[int, _Running]" = {}
#: Hooks that change nothing.
_READING = frozenset(
    hook for operation in OPERATIONS if operation.method == "GET" for hook in operation.hooks
)


class Audit:
    """The wrapper around ``operation_call`` that writes the lines."""

    @hookimpl(wrapper=True)
    def operation_call(
        self, operation: str, arguments: Mapping[str, Any], context: CallContext
    ) -> Generator[None, Any, Any]:
        """Write a line at the end of the operation; for an export, after its last byte."""
        running = _Running(operation, arguments, context, None)
        try:
            result = yield
        except BaseException as error:
            running.fail(error)
            raise
        if isinstance(result, Export):

            def ended(error: BaseException | None, complete: bool, sent_bytes: int) -> None:
                if error is None:
                    running.end("ok" if complete else "ClientDisconnected", sent_bytes=sent_bytes)
                else:
                    running.fail(error, sent_bytes)

            return Export(WatchedChunks(result.chunks, ended), result.size)
        running.end("ok")
        return result

    @contextmanager
    def nested(
        self, operation: str, arguments: Mapping[str, Any], context: CallContext, nested_in: str
    ) -> Generator[None, None, None]:
        """Write a line at the end of a call by a service plugin."""
        running = _Running(operation, arguments, context, nested_in)
        try:
            yield
        except BaseException as error:
            running.fail(error)
            raise
        running.end("ok")

    def rejected(
        self, operation: str, arguments: Mapping[str, Any], context: CallContext, error: SimplestackError
    ) -> None:
        """Write the line of an operation that did not start."""
        started = time.monotonic()
        _write_line(operation, arguments, context, started, outcome_of(error), reason=reason_of(error))

    def late(
        self,
        operation: str,
        arguments: Mapping[str, Any],
        context: CallContext,
        started_seconds: float,
        error: BaseException | None,
        *,
        nested_in: str | None,
    ) -> None:
        """Write a second line when an abandoned operation has ended."""
        outcome = "ok" if error is None else outcome_of(error)
        _write_line(
            operation,
            arguments,
            context,
            started_seconds,
            outcome,
            reason=reason_of(error),
            warnings=current_warnings.get(),
            late=True,
            nested_in=nested_in,
        )


def outcome_of(error: BaseException) -> str:
    """Return the name of an error, as clients see it."""
    if isinstance(error, SimplestackError):
        return error.name
    outcome: str = getattr(error, "audit_outcome", SimplestackError.name)
    return outcome


def reason_of(error: BaseException | None) -> str | None:
    """Return the message that the client gets; None if the error's message is not for clients."""
    if not isinstance(error, SimplestackError) or not isinstance(error.message, str):
        return None
    text = one_line(error.message)
    return (text if len(text) <= _MAX_REASON_LENGTH else f"{text[:_MAX_REASON_LENGTH]}...") or None


def end_audit() -> None:
    """At the end of the process, write the lines of unfinished operations, and all waiting lines."""
    for running in list(_all_running.values()):
        running.end("ServiceStopped")
    _output.flush()


class _Running:
    """An operation without a line yet."""

    __slots__ = (
        "_arguments",
        "_context",
        "_earlier_warnings",
        "_nested_in",
        "_operation",
        "_started_seconds",
        "_warnings",
    )

    def __init__(
        self, operation: str, arguments: Mapping[str, Any], context: CallContext, nested_in: str | None
    ) -> None:
        self._operation = operation
        self._arguments = arguments
        self._context = context
        self._nested_in = nested_in
        self._started_seconds = time.monotonic()
        self._warnings = current_warnings.get()  # another thread may write the line
        self._earlier_warnings = len(self._warnings or ())
        _all_running[id(self)] = self

    def fail(self, error: BaseException, sent_bytes: int | None = None) -> None:
        """Write the line of a failed operation."""
        self.end(outcome_of(error), reason=reason_of(error), sent_bytes=sent_bytes)

    def end(self, outcome: str, *, reason: str | None = None, sent_bytes: int | None = None) -> None:
        """Write the operation's line, once."""
        if _all_running.pop(id(self), None) is not None:
            _write_line(
                self._operation,
                self._arguments,
                self._context,
                self._started_seconds,
                outcome,
                reason=reason,
                warnings=self._warnings and self._warnings[self._earlier_warnings :],
                sent_bytes=sent_bytes,
                nested_in=self._nested_in,
            )


def _write_line(
    operation: str,
    arguments: Mapping[str, Any],
    context: CallContext,
    started_seconds: float,
    outcome: str,
    *,
    reason: str | None = None,
    warnings: list[str] | None = None,
    sent_bytes: int | None = None,
    late: bool = False,
    nested_in: str | None = None,
) -> None:
    line = AuditLine(
        time=datetime.now(UTC),
        request_id=context.request_id,
        hypervisor=context.hypervisor,
        host=context.host,
        user=context.user,
        client=context.client,
        operation=operation,
        nested_in=nested_in,
        ids={name: value for name, value in arguments.items() if type(value) is str},
        outcome=outcome,
        reason=reason,
        duration_ms=round((time.monotonic() - started_seconds) * 1000, 3),
        late=late,
        warnings=warnings or [],
        bytes=sent_bytes,
    )
    _output.write(_encoded(line) + b"\n", at_once=late or operation not in _READING)


def _encoded(line: AuditLine) -> bytes:
    """Return a line as JSON. The operation may have taken effect, so no text keeps it from being written."""
    try:
        return _encode(line)
    except UnicodeEncodeError:  # half of a surrogate pair, in a plugin's text
        return _encode(_well_formed(to_builtins(line)))


def _well_formed(value: Any) -> Any:
    """Return builtins, with escapes for halves of surrogate pairs, as Python writes them."""
    match value:
        case str():
            return value.encode(errors="backslashreplace").decode()
        case dict():
            return {_well_formed(name): _well_formed(its) for name, its in value.items()}
        case list():
            return [_well_formed(item) for item in value]
        case _:
            return value
