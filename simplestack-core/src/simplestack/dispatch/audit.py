"""The audit log: one line for each operation, successful or not."""

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

from simplestack.dispatch.audit_line import AuditLine, encoded
from simplestack.dispatch.audit_output import AuditOutput
from simplestack.dispatch.streams import WatchedChunks
from simplestack.dispatch.warnings import current_warnings
from simplestack.entities.call_context import CallContext
from simplestack.entities.transfer import Export
from simplestack.errors import SimplestackError
from simplestack.markers import hookimpl
from simplestack.operations.statuses import SUCCESS_STATUSES, Level, level_of, status_of
from simplestack.operations.table import OPERATIONS
from simplestack.wording import shortened_line

_output = AuditOutput()
_all_running: "dict[int, _Running]" = {}
#: Hooks that change nothing.
_READING = frozenset(
    hook for operation in OPERATIONS if operation.method == "GET" for hook in operation.hooks
)


class _Outcome(NamedTuple):
    """How an operation ended, as its line has it."""

    name: str
    status: int | None
    level: Level
    reason: str | None = None


_STOPPED = _Outcome("ServiceStopped", None, "warning")
_DISCONNECTED = _Outcome("ClientDisconnected", 200, "info")


class Audit:
    """The wrapper around ``operation_call`` that writes the lines."""

    def __init__(self, line_format: str = "json") -> None:
        self._format = line_format

    @hookimpl(wrapper=True)
    def operation_call(
        self, operation: str, arguments: Mapping[str, Any], context: CallContext
    ) -> Generator[None, Any, Any]:
        """Write a line at the end of the operation; for an export, after its last byte."""
        running = _Running(self._format, operation, arguments, context, None)
        try:
            result = yield
        except BaseException as error:
            running.end(_outcome(error, operation))
            raise
        if isinstance(result, Export):

            def ended(error: BaseException | None, complete: bool, sent_bytes: int) -> None:
                if error is None and not complete:
                    running.end(_DISCONNECTED, sent_bytes)
                else:
                    running.end(_outcome(error, operation, sent_bytes), sent_bytes)

            return Export(WatchedChunks(result.chunks, ended), result.size)
        running.end(_outcome(None, operation))
        return result

    @contextmanager
    def nested(
        self, operation: str, arguments: Mapping[str, Any], context: CallContext, nested_in: str
    ) -> Generator[None, None, None]:
        """Write a line at the end of a call by a service plugin."""
        running = _Running(self._format, operation, arguments, context, nested_in)
        try:
            yield
        except BaseException as error:
            running.end(_outcome(error, operation))
            raise
        running.end(_outcome(None, operation))

    def rejected(
        self, operation: str, arguments: Mapping[str, Any], context: CallContext, error: SimplestackError
    ) -> None:
        """Write the line of an operation that did not start."""
        started_seconds = time.monotonic()
        outcome = _outcome(error, operation)
        _write_line(self._format, operation, arguments, context, started_seconds, outcome=outcome)

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
        _write_line(
            self._format,
            operation,
            arguments,
            context,
            started_seconds,
            outcome=_outcome(error, operation),
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
    return shortened_line(error.message) or None


def _outcome(error: BaseException | None, operation: str, sent_bytes: int | None = None) -> _Outcome:
    """Return how an operation ended.

    :param sent_bytes: for exports: with any, the client has got the status of success
    """
    success = SUCCESS_STATUSES.get(operation, 200)
    if error is None:
        return _Outcome("ok", success, "info")
    if hasattr(error, "audit_outcome"):  # no response: the connection is dropped
        return _Outcome(outcome_of(error), None, "info")
    status = status_of(type(error))
    return _Outcome(outcome_of(error), success if sent_bytes else status, level_of(status), reason_of(error))


def end_audit() -> None:
    """At the end of the process, write the lines of unfinished operations, and all waiting lines."""
    for running in list(_all_running.values()):
        running.end(_STOPPED)
    _output.flush()


class _Running:
    """An operation without a line yet."""

    __slots__ = (
        "_arguments",
        "_context",
        "_earlier_warnings",
        "_format",
        "_nested_in",
        "_operation",
        "_started_seconds",
        "_warnings",
    )

    def __init__(
        self,
        line_format: str,
        operation: str,
        arguments: Mapping[str, Any],
        context: CallContext,
        nested_in: str | None,
    ) -> None:
        self._format = line_format
        self._operation = operation
        self._arguments = arguments
        self._context = context
        self._nested_in = nested_in
        self._started_seconds = time.monotonic()
        self._warnings = current_warnings.get()  # another thread may write the line
        self._earlier_warnings = len(self._warnings or ())
        _all_running[id(self)] = self

    def end(self, outcome: _Outcome, sent_bytes: int | None = None) -> None:
        """Write the operation's line, once."""
        if _all_running.pop(id(self), None) is not None:
            _write_line(
                self._format,
                self._operation,
                self._arguments,
                self._context,
                self._started_seconds,
                outcome=outcome,
                warnings=self._warnings and self._warnings[self._earlier_warnings :],
                sent_bytes=sent_bytes,
                nested_in=self._nested_in,
            )


def _write_line(
    line_format: str,
    operation: str,
    arguments: Mapping[str, Any],
    context: CallContext,
    started_seconds: float,
    *,
    outcome: _Outcome,
    warnings: list[str] | None = None,
    sent_bytes: int | None = None,
    late: bool = False,
    nested_in: str | None = None,
) -> None:
    line = AuditLine(
        time=datetime.now(UTC),
        level=outcome.level,
        request_id=context.request_id,
        hypervisor=context.hypervisor,
        host=context.host,
        user=context.user,
        client=context.client,
        client_address=context.client_address,
        operation=operation,
        nested_in=nested_in,
        ids={name: value for name, value in arguments.items() if type(value) is str},
        # A nested call has no response, and a late one no longer.
        status=None if late or nested_in else outcome.status,
        outcome=outcome.name,
        reason=outcome.reason,
        duration_ms=round((time.monotonic() - started_seconds) * 1000, 3),
        late=late,
        warnings=warnings or [],
        bytes=sent_bytes,
    )
    _output.write(encoded(line, line_format), at_once=late or operation not in _READING)
