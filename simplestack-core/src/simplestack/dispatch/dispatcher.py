"""Call an operation: through the service plugins, with a session from the pool, within the time limit."""

import os
from functools import partial
from types import MappingProxyType
from typing import Any

from simplestack.dispatch.audit import Audit
from simplestack.dispatch.call import Call
from simplestack.dispatch.connector import Connector
from simplestack.dispatch.frames import release_frames
from simplestack.dispatch.hook_trace import trace_hooks
from simplestack.dispatch.operation_run import OperationRun
from simplestack.dispatch.plugin_errors import contained
from simplestack.dispatch.streams import WatchedChunks
from simplestack.entities.call_context import current_run
from simplestack.entities.transfer import Export, WrappableStream
from simplestack.errors import HypervisorNotFound, HypervisorUnavailable
from simplestack.markers import hookimpl
from simplestack.operations.optional_fields import with_optional_argument
from simplestack.operations.table import TRANSFER_HOOKS
from simplestack.plugins.hypervisor import Hypervisor
from simplestack.plugins.registry import Registry
from simplestack.plugins.services import make_root_manager
from simplestack.sessions.call_limits import CallLimits
from simplestack.sessions.meter import NO_METER, Meter
from simplestack.sessions.pool import SessionPool
from simplestack.sessions.time_limits import current_deadline

#: How long a stopping process waits for logouts.
LOGOUT_LIMIT_SECONDS = 5.0


def _current_request_id() -> str:
    run: OperationRun = current_run.get()
    return run.call.context.request_id


class Dispatcher:
    """Performs the operations of all hypervisors. Each process has one."""

    def __init__(
        self,
        registry: Registry,
        *,
        max_sessions: int,
        threads: int | None,
        audit: bool,
        audit_format: str = "json",
        trace: bool = False,
        meter: Meter = NO_METER,
    ) -> None:
        """Create it. The first call connects to a host.

        :param max_sessions: maximum number of all sessions
        :param threads: maximum number of concurrent calls; None means no limit
        :param audit: whether to write an audit line for each operation
        :param audit_format: ``text`` or ``json``
        :param trace: whether to log each call of a hook
        :param meter: is told about sessions and abandoned calls
        """
        self.registry = registry
        max_connecting = max_sessions if threads is None else max(1, threads // 2)
        self._new_pool = partial(SessionPool, max_sessions, max_connecting, meter)
        self._connectors: dict[tuple[str, str | None], Connector] = {}
        self.pool = self._new_pool()
        self._limits = CallLimits(threads)
        self._audit = Audit(audit_format) if audit else None
        root = make_root_manager(self, registry.services, self._audit, current_run.get)
        self._operation_call = root.hook.operation_call
        if trace:
            trace_hooks(root, "services", _current_request_id)
            for hypervisor in registry.plugins():
                trace_hooks(hypervisor.manager, hypervisor.name, _current_request_id)
        os.register_at_fork(after_in_child=self._forget_sessions)

    def hypervisor(self, word: str) -> Hypervisor:
        """Return the hypervisor with a name or an alias.

        :raises HypervisorNotFound: there is none; the message lists the installed ones
        """
        hypervisor = self.registry.hypervisors.get(word)
        if hypervisor is None:
            raise HypervisorNotFound(self.registry.explain_missing(word))
        return hypervisor

    def call(self, call: Call, hook: str, arguments: dict[str, Any]) -> Any:
        """Call a hook of a hypervisor, and return its result.

        An :class:`Export` keeps its session until its chunks are exhausted or closed.

        :param arguments: the hook's arguments without the session
        :raises SimplestackError: the operation failed
        """
        connector = self._connector(call)
        arguments = with_optional_argument(hook, arguments)
        if "stream" in arguments:
            arguments = {**arguments, "stream": WrappableStream(arguments["stream"])}
        run = OperationRun(call, hook, arguments, connector, self.pool, audit=self._audit)
        place = call.key.place
        max_transfers = connector.max_transfers if hook in TRANSFER_HOOKS else None
        try:
            # Before the service plugins: they may hang as hooks may.
            self._limits.begin(place, connector.settings.max_calls_per_host, max_transfers)
        except HypervisorUnavailable as error:
            if self._audit is not None:
                self._audit.rejected(hook, arguments, call.context, error)
            raise

        def end(*_: object) -> None:
            self._limits.end(place, max_transfers)

        token = current_run.set(run)
        limit = current_deadline.set(run)
        try:
            result = self._operation_call(
                operation=hook, arguments=MappingProxyType(arguments), context=call.context
            )
        except Exception as error:
            end()
            run.raised()  # not every wrapper hears of it: pluggy skips those around one that yields twice
            release_frames(error)
            raise
        except BaseException as error:
            end()
            run.raised()
            raised = contained(error, "a service plugin")
            if raised is error:
                raise
            raise raised from error
        finally:
            current_deadline.reset(limit)
            current_run.reset(token)
            run.has_ended = True
        if isinstance(result, Export):
            return Export(WatchedChunks(result.chunks, end), result.size)
        end()
        return result

    def connect(self, call: Call) -> None:
        """Connect a session for a call, and leave it in the pool. `call` connects by itself.

        :raises SimplestackError: the host is not allowed, cannot be reached, or rejects the login
        """
        slot, _ = self.pool.take(call.key, self._connector(call), call)
        self.pool.release(slot)

    @hookimpl
    def operation_call(self) -> Any:
        """Perform the operation of this thread. Service plugins wrap this."""
        run: OperationRun = current_run.get()
        result = run.perform()
        run.keep(result)
        return result

    def close(self, limit_seconds: float = LOGOUT_LIMIT_SECONDS) -> None:
        """Log out all sessions.

        :param limit_seconds: time limit; the log has the number of remaining sessions
        """
        self.pool.close(limit_seconds)

    def _forget_sessions(self) -> None:
        """Start without sessions in a forked child: they belong to the parent."""
        self.pool = self._new_pool()

    def _connector(self, call: Call) -> Connector:
        """Return the connector for a host: its own if it has its own settings, else the general one."""
        name, host = call.context.hypervisor, call.target.name
        own = host if host in self.registry.settings[name].by_host else None
        connector = self._connectors.get((name, own))
        if connector is None:
            hypervisor = self.registry.hypervisors[name]
            connector = Connector(hypervisor, *self.registry.settings_at(hypervisor, host))
            self._connectors[name, own] = connector
        return connector
