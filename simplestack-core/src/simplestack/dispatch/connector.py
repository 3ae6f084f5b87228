"""Connect to the hosts of a hypervisor and log out, through its plugin."""

from typing import Any, NoReturn

from simplestack.config.settings import HypervisorSettings
from simplestack.dispatch.call import Call
from simplestack.dispatch.plugin_errors import contained, translating
from simplestack.plugins.hypervisor import Hypervisor
from simplestack.sessions.targets import AllowList
from simplestack.sessions.time_limits import Deadline, DeadlineExceeded, OnLate, call_within, current_deadline


class Connector:
    """Connects and logs out the sessions of a hypervisor, for all hosts with the same settings."""

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
        self.failed_login_seconds = settings.failed_login_seconds
        #: Maximum number of imports and exports per host, so that a session stays free for other calls.
        self.max_transfers = min(settings.max_transfers_per_host, max(1, self.max_sessions - 1))

    def connect(self, call: Call, on_late: OnLate) -> Any:
        """Connect a session.

        It has a thread of its own whatever the plugin says of itself: resolving a name has no time limit.

        :raises DeadlineExceeded: the time limit has passed; `on_late` gets the later result
        """

        def connected() -> Any:
            target = self._allowed.check(call.target)
            return self.plugin.connect(target, call.credentials, self.settings)

        limit = current_deadline.set(None)  # connecting has its own limit, not the operation's
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
        finally:
            current_deadline.reset(limit)

    def disconnect(self, session: Any) -> None:
        """Log a session out.

        :raises Exception: the logout failed
        """
        try:
            translating(self.plugin, lambda: self.plugin.disconnect(session))
        except BaseException as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> NoReturn:
        """Raise an error of the plugin that ends only this call."""
        raised = contained(error, f"plugin {self.plugin.name!r}")
        if raised is error:
            raise error
        raise raised from error
