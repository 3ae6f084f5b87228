"""Connecting to the hosts of one hypervisor, and logging out, through its plugin."""

from typing import Any, NoReturn

from simplestack.config.settings import HypervisorSettings
from simplestack.dispatch.call import Call
from simplestack.dispatch.plugin_errors import contained, translating
from simplestack.plugins.hypervisor import Hypervisor
from simplestack.sessions.targets import AllowList
from simplestack.sessions.time_limits import Deadline, DeadlineExceeded, OnLate, call_within


class Connector:
    """Makes and ends the sessions of one hypervisor, at all hosts that have the same settings."""

    def __init__(self, hypervisor: Hypervisor, settings: HypervisorSettings, allowed: AllowList) -> None:
        self.hypervisor = hypervisor
        self.plugin = hypervisor.plugin
        self.settings = settings
        self._allowed = allowed
        self.shares_sessions = hypervisor.plugin.shares_sessions
        self.max_sessions = settings.max_sessions_per_host
        self.idle_timeout_seconds = settings.idle_timeout_seconds
        self.hung_timeout_seconds = settings.hung_timeout_seconds
        self.connect_timeout_seconds = settings.connect_timeout_seconds
        self.refusal_seconds = settings.refusal_seconds
        #: How many imports and exports a host may have: other calls always find a session.
        self.max_transfers = min(settings.max_transfers_per_host, max(1, self.max_sessions - 1))

    def connect(self, call: Call, on_late: OnLate) -> Any:
        """Make a session.

        It has a thread of its own whatever the plugin says of itself: resolving a name has no time limit.

        :raises DeadlineExceeded: the time is up; `on_late` gets what comes of it later
        """

        def connected() -> Any:
            target = self._allowed.check(call.target)
            return self.plugin.connect(target, call.credentials, self.settings)

        try:
            return call_within(
                Deadline(self.connect_timeout_seconds),
                lambda: translating(self.plugin, connected),
                lambda: on_late,
            )
        except DeadlineExceeded:
            raise
        except BaseException as error:
            self._fail(error)

    def disconnect(self, session: Any) -> None:
        """Log a session out.

        :raises Exception: the host could not be told
        """
        try:
            translating(self.plugin, lambda: self.plugin.disconnect(session))
        except BaseException as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> NoReturn:
        """Raise an error of the plugin, but end no more than the call with it."""
        raised = contained(error, f"plugin {self.plugin.name!r}")
        if raised is error:
            raise error
        raise raised from error
