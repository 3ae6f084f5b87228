"""Run a hook: on a session, within the time limit, and check its result."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

from simplestack.dispatch.audit import Audit
from simplestack.dispatch.call import Call
from simplestack.dispatch.connector import Connector
from simplestack.dispatch.frames import release_frames
from simplestack.dispatch.plugin_errors import contained, raise_translated, translating
from simplestack.dispatch.results import check_result
from simplestack.dispatch.streams import RunPart, TimedUpload, WatchedChunks, close_chunks
from simplestack.entities.transfer import Export
from simplestack.errors import HypervisorTimeout, HypervisorUnavailable, OperationTimeout, SessionExpired
from simplestack.operations.table import LONG_HOOKS
from simplestack.sessions.pool import SessionPool
from simplestack.sessions.slots import Slot
from simplestack.sessions.time_limits import Deadline, DeadlineExceeded, OnLate, call_within, current_deadline

_log = logging.getLogger("simplestack.dispatch")

T = TypeVar("T")


class _SessionDead(Exception):
    """The session from the pool does not work any more."""


class HookRun:
    """A run of a hook."""

    __slots__ = (
        "_arguments",
        "_audit",
        "_export",
        "_is_abandoned",
        "_nested_in",
        "_plugin",
        "_pool",
        "_slot",
        "_started_seconds",
        "call",
        "connector",
        "operation",
    )

    _slot: Slot
    _export: Export | None

    def __init__(
        self,
        call: Call,
        operation: str,
        arguments: Mapping[str, Any],
        connector: Connector,
        pool: SessionPool,
        *,
        audit: Audit | None,
        nested_in: str | None = None,
    ) -> None:
        """Prepare a call.

        :param arguments: the hook's arguments without the session
        :param nested_in: the operation of the request, if a service plugin makes this call
        """
        self.call = call
        self.operation = operation
        self._arguments = arguments
        self.connector = connector
        self._plugin = connector.plugin
        self._pool = pool
        self._audit = audit
        self._nested_in = nested_in
        self._export = None
        self._is_abandoned = False
        self._started_seconds = time.monotonic()

    @property
    def limit_seconds(self) -> float:
        """The operation's time limit."""
        settings = self.connector.settings
        is_long = self.operation in LONG_HOOKS
        return settings.long_call_timeout_seconds if is_long else settings.call_timeout_seconds

    def perform(self) -> Any:
        """Call the hook on a session of the pool, and return its result.

        An :class:`Export` keeps the session until its chunks are exhausted or closed.

        :raises OperationNotSupported: the plugin does not implement the hook, or not a field in its arguments
        """
        hook = self.connector.hypervisor.caller(self.operation)
        self.connector.hypervisor.check_fields(self.operation, self._arguments)
        may_have_expired = True
        while True:
            self._slot, is_new = self._pool.take(self.call.key, self.connector, self.call)
            try:
                result = self._called(hook, check=not is_new)
                break
            except _SessionDead:
                self._pool.discard(self._slot)
                self._pool.release(self._slot)
            except SessionExpired as error:
                self._pool.release(self._slot)
                if not may_have_expired:
                    raise
                may_have_expired = False
                release_frames(error)
                # What made the hypervisor forget this session may have met the others, too.
                self._pool.close_of(self.call.key)
            except BaseException:
                self._pool.release(self._slot)
                raise
        if isinstance(result, Export):
            self._export = result
            chunks = WatchedChunks(result.chunks, self._export_ended, self._export_part)
            result = Export(chunks, result.size)
        else:
            self._pool.release(self._slot)
        return result

    def _called(self, hook: Callable[..., Any], *, check: bool) -> Any:
        arguments = self._arguments
        settings = self.connector.settings
        limit_seconds = self.limit_seconds
        deadline = Deadline(limit_seconds)
        if "stream" in arguments:
            stream = TimedUpload(
                arguments["stream"].source,
                arguments["size"],
                deadline,
                between_seconds=settings.call_timeout_seconds,
                afterwards_seconds=limit_seconds,
            )
            arguments = {**arguments, "stream": arguments["stream"].wrapped(stream)}
        session = self._slot.session

        def checked() -> Any:
            if check and not self._is_alive(session):
                raise _SessionDead
            try:
                return hook(session=session, **arguments)
            except Exception as error:
                raise_translated(self._plugin, error)

        try:
            result = self._within(deadline, checked)
        except _SessionDead:
            raise
        except BaseException as error:
            self._fail(error)
        try:
            check_result(self.connector.hypervisor, self.operation, result)
        except BaseException:
            close_result(result, self._export_part)
            raise
        return result

    def _is_alive(self, session: Any) -> bool:
        try:
            return bool(self._plugin.check(session))
        except Exception:
            _log.exception("plugin %r: its check failed; the session is replaced", self._plugin.name)
            return False

    def _export_part(self, part: Callable[[], T]) -> T | None:
        """Fetch a chunk of an export, or close it."""
        if self._is_abandoned:
            return None  # the thread that was abandoned closes it, if it ever returns
        try:
            deadline = Deadline(self.connector.settings.call_timeout_seconds)
            return self._within(deadline, lambda: translating(self._plugin, part))
        except BaseException as error:
            self._fail(error)

    def _export_ended(self, _error: BaseException | None, _is_complete: bool, _sent_bytes: int) -> None:
        self._pool.release(self._slot)

    def _within(self, deadline: Deadline, part: Callable[[], T]) -> T:
        """Run a part of the plugin's code within its time limit."""
        token = current_deadline.set(deadline)
        try:
            if self._plugin.enforces_time_limits:
                return part()
            return call_within(deadline, part, self._abandoned)
        except DeadlineExceeded:
            self._pool.meter.call_abandoned(self.call.key.place, self.operation)
            raise HypervisorTimeout(
                f"{self._plugin.name} did not respond within {deadline.limit_seconds:g} s; "
                "check whether the operation took effect"
            ) from None
        finally:
            current_deadline.reset(token)

    def _abandoned(self) -> OnLate:
        """Stop using the session, since the abandoned thread uses it."""
        self._is_abandoned = True
        context = self.call.context
        hook = f"{self.operation} of {self._plugin.name} at {context.host}"
        _log.warning("request %s: abandoned %s: it exceeded its time limit", context.request_id, hook)
        came_back = self._pool.abandon(self._slot)

        def late(result: Any, error: BaseException | None) -> None:
            try:
                self._write_late_line(error)  # closing may hang
            finally:
                self._close_late(result if isinstance(result, Export) else self._export)
                came_back()

        return late

    def _close_late(self, export: Export | None) -> None:
        try:
            if export is not None:
                close_chunks(export.chunks)
        except BaseException:  # the plugin's close, in a thread that nobody waits for
            _log.exception("request %s: cannot close an export", self.call.context.request_id)

    def _write_late_line(self, error: BaseException | None) -> None:
        """Write an audit line for an operation that ended after its client had got 504."""
        if self._audit is not None:
            self._audit.late(
                self.operation,
                self._arguments,
                self.call.context,
                self._started_seconds,
                error,
                nested_in=self._nested_in,
            )

    def _fail(self, error: BaseException) -> NoReturn:
        """Raise an error of the plugin, and discard the session if it may be broken."""
        raised = contained(error, f"plugin {self._plugin.name!r}")
        is_broken = isinstance(error, HypervisorUnavailable | HypervisorTimeout)
        if (is_broken and not isinstance(error, OperationTimeout)) or not isinstance(error, Exception):
            self._pool.discard(self._slot)
        if raised is error:
            raise error
        raise raised from error


def close_result(result: Any, run: RunPart = lambda part: part()) -> None:
    """Close a rejected result if it is an export."""
    if isinstance(result, Export):
        WatchedChunks(result.chunks, lambda *_: None, run).close()
