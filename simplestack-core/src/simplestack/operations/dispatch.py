"""The call of an operation: through the service plugins, with a session from the pool, within its time."""

import logging
import os
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple, NoReturn, TypeVar

from simplestack.config.settings import HypervisorSettings
from simplestack.entities.transfer import Export
from simplestack.errors import (
    HypervisorNotFound,
    HypervisorTimeout,
    HypervisorUnavailable,
    OperationNotSupported,
    OperationTimeout,
    SessionExpired,
    SimplestackError,
)
from simplestack.operations.audit import Audit
from simplestack.operations.context import CallContext
from simplestack.operations.results import check_result
from simplestack.operations.streams import WatchedChunks, WatchedUpload
from simplestack.plugins.hypervisor import Hypervisor
from simplestack.plugins.registry import Registry
from simplestack.plugins.services import make_operation_call
from simplestack.sessions.credentials import Credentials
from simplestack.sessions.guard import Abandoned, Progress, call_within
from simplestack.sessions.maker import SessionKey
from simplestack.sessions.pool import SessionPool
from simplestack.sessions.slots import Slot
from simplestack.sessions.targets import AllowList, Target

_log = logging.getLogger("simplestack.operations")

#: How long a session may take to log out before its thread is left behind.
_DISCONNECT_SECONDS = 5

T = TypeVar("T")


class Call(NamedTuple):
    """A context, and what core needs besides to answer it. Service plugins get the context alone."""

    context: CallContext
    target: Target
    credentials: Credentials
    #: Which sessions may answer it.
    key: SessionKey


def make_call(context: CallContext, target: Target, credentials: Credentials) -> Call:
    """Return a call; it may be made any number of times."""
    key = SessionKey(context.hypervisor, context.host, credentials.digest())
    return Call(context, target, credentials, key)


#: What this thread is calling. It goes round the service plugins, which could log whatever they are given.
_current: ContextVar[Call] = ContextVar("simplestack.call")


class _Maker:
    """Makes, checks and ends the sessions of one hypervisor at one host."""

    def __init__(self, hypervisor: Hypervisor, settings: HypervisorSettings, allowed: AllowList) -> None:
        plugin = hypervisor.plugin
        self.plugin = plugin
        self.settings = settings
        self._allowed = allowed
        self.check = plugin.check
        self.shares_sessions = plugin.shares_sessions
        self.max_sessions = settings.max_sessions_per_host
        self.max_calls = settings.max_calls_per_host if plugin.may_hang and plugin.shares_sessions else None
        self.idle_timeout_seconds = settings.idle_timeout_seconds
        self.hung_timeout_seconds = settings.hung_timeout_seconds
        self.connect_timeout_seconds = settings.connect_timeout_seconds
        self.refusal_seconds = settings.refusal_seconds

    def connect(self, call: Call, on_late: Callable[[Any], None]) -> Any:
        target = self._allowed.check(call.target)

        def connected() -> Any:
            return self.plugin.connect(target, call.credentials, self.settings)

        try:
            if self.plugin.may_hang:
                return call_within(self.connect_timeout_seconds, connected, lambda: on_late)
            return connected()
        except Abandoned:
            raise
        except Exception as error:
            raised = translated(self.plugin.translate, error)
            raise raised from (None if raised is error else error)

    def disconnect(self, session: Any) -> None:
        try:
            if self.plugin.may_hang:
                call_within(_DISCONNECT_SECONDS, lambda: self.plugin.disconnect(session))
            else:
                self.plugin.disconnect(session)
        except Abandoned:
            _log.warning("%s: logging out took too long and was left behind", self.plugin.name)
        except Exception:  # the session is gone either way, and its client has its answer
            _log.exception("%s: logging out failed", self.plugin.name)


class Dispatcher:
    """Performs operations of all hypervisors. One for each process."""

    def __init__(self, registry: Registry, max_sessions: int, max_connecting: int, *, audit: bool) -> None:
        self.registry = registry
        self._bounds = max_sessions, max_connecting
        self._makers: dict[tuple[str, str | None], _Maker] = {}
        self.pool = SessionPool(*self._bounds)
        self._operation_call = make_operation_call(
            self._perform, registry.services, Audit() if audit else None
        )
        os.register_at_fork(after_in_child=self._forget_sessions)

    def hypervisor(self, word: str) -> Hypervisor:
        """Return the hypervisor that a word in a URL names.

        :raises HypervisorNotFound: there is none; the message says what there is
        """
        found = self.registry.hypervisors.get(word)
        if found is None:
            raise HypervisorNotFound(self.registry.explain_missing(word))
        return found

    def call(self, call: Call, hook: str, arguments: Mapping[str, Any]) -> Any:
        """Call a hook of a hypervisor and return what it returns.

        An :class:`Export` keeps its session until its chunks are exhausted or closed.

        :param arguments: the hook's arguments but the session
        :raises SimplestackError: what went wrong
        """
        token = _current.set(call)
        try:
            return self._operation_call(operation=hook, arguments=arguments, context=call.context)
        finally:
            _current.reset(token)

    def close(self) -> None:
        """Log all sessions out."""
        self.pool.close()

    def _forget_sessions(self) -> None:
        """Start afresh in a forked child: the sessions are the parent's."""
        self.pool = SessionPool(*self._bounds)

    def _perform(self, operation: str, arguments: Mapping[str, Any], context: CallContext) -> Any:
        call = _current.get()
        hypervisor = self.registry.hypervisors[context.hypervisor]
        caller = hypervisor.callers.get(operation)
        if caller is None:
            raise OperationNotSupported(
                f"{hypervisor.name} does not implement {operation} "
                f"({hypervisor.distribution} {hypervisor.version})",
                {"operation": operation, "hypervisor": hypervisor.name},
            )
        maker = self._maker(hypervisor, call.target.name)
        try:
            return self._attempt(call, maker, operation, caller, arguments)
        except SessionExpired:
            # What made the hypervisor forget this one may have met the others, too.
            self.pool.close_of(call.key)
            return self._attempt(call, maker, operation, caller, arguments)

    def _attempt(
        self,
        call: Call,
        maker: _Maker,
        operation: str,
        caller: Callable[..., Any],
        arguments: Mapping[str, Any],
    ) -> Any:
        slot = self.pool.take(call.key, maker, call)
        try:
            run = _Run(maker, self.pool, slot)
            result = run.hook(operation, caller, arguments)
        except BaseException:
            self.pool.release(slot)
            raise
        if isinstance(result, Export):
            return run.leased(result)
        self.pool.release(slot)
        return result

    def _maker(self, hypervisor: Hypervisor, host: str) -> _Maker:
        """Return the maker for a host: its own where it has settings of its own, else the general one."""
        own = host if host in self.registry.settings[hypervisor.name].by_host else None
        maker = self._makers.get((hypervisor.name, own))
        if maker is None:
            maker = _Maker(hypervisor, *self.registry.settings_at(hypervisor, host))
            self._makers[hypervisor.name, own] = maker
        return maker


class _Run:
    """Runs parts of an operation on a session that was taken for it, within their time."""

    __slots__ = ("_maker", "_plugin", "_pool", "_slot")

    def __init__(self, maker: _Maker, pool: SessionPool, slot: Slot) -> None:
        self._maker = maker
        self._plugin = maker.plugin
        self._pool = pool
        self._slot = slot

    def hook(self, operation: str, caller: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
        """Call the hook and check what it returns."""
        session = self._slot.session
        try:
            if not self._plugin.may_hang:
                result = caller(session=session, **arguments)
            elif "stream" in arguments:
                progress = Progress()
                watched = {**arguments, "stream": WatchedUpload(arguments["stream"], progress)}
                result = self._guarded(lambda: caller(session=session, **watched), progress)
            else:
                result = self._guarded(lambda: caller(session=session, **arguments))
        except Exception as error:
            self._fail(error)
        check_result(self._plugin.name, operation, result)
        return result

    def leased(self, export: Export) -> Export:
        """Keep the session with the stream."""

        def ended(_error: BaseException | None, complete: bool, _sent_bytes: int) -> None:
            del complete
            self._pool.release(self._slot)

        return Export(WatchedChunks(export.chunks, ended, self._fetch), export.size)

    def _fetch(self, following: Callable[[], bytes | None]) -> bytes | None:
        """Fetch a chunk of an export."""
        try:
            return self._guarded(following) if self._plugin.may_hang else following()
        except Exception as error:
            self._fail(error)

    def _guarded(self, part: Callable[[], T], progress: Progress | None = None) -> T:
        limit = self._maker.settings.call_timeout_seconds
        try:
            return call_within(limit, part, lambda: self._pool.abandon(self._slot), progress)
        except Abandoned:
            raise HypervisorTimeout(
                f"{self._plugin.name} did not answer within {limit:g} s; "
                "whether the operation took effect is unknown"
            ) from None

    def _fail(self, error: Exception) -> NoReturn:
        """Raise an error as the client may see it, and retire a session that it may have broken."""
        raised = translated(self._plugin.translate, error)
        if isinstance(raised, HypervisorUnavailable | HypervisorTimeout) and not isinstance(
            raised, OperationTimeout
        ):
            self._pool.discard(self._slot)
        raise raised from (None if raised is error else error)


def translated(translate: Callable[[Exception], SimplestackError | None], error: Exception) -> Exception:
    """Return an error as the client may see it; one that nobody knows is a defect and stays as it is."""
    if isinstance(error, SimplestackError):
        return error
    if isinstance(error, NotImplementedError):
        reason = str(error) or "the hypervisor cannot do this"
        return OperationNotSupported(reason)
    return translate(error) or error
