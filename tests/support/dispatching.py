"""A hypervisor of a test's own, called in this process through the dispatcher that the service uses."""

import threading
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from simplestack import Credentials, HypervisorPlugin, HypervisorSettings, Storage, Target, hookimpl
from simplestack.dispatch.call import make_call
from simplestack.dispatch.dispatcher import Dispatcher
from simplestack.entities.call_context import CallContext
from simplestack.plugins.diagnosis import IMPL_MARK
from simplestack.plugins.host_settings import HostSettings
from simplestack.plugins.hypervisor import make_hypervisor
from simplestack.plugins.registry import Registry
from simplestack.plugins.service_loading import Service
from simplestack.sessions.targets import AllowList

NAME = "lab"


class Session:
    """What the hypervisor's `connect` returns: who it is for, and a number."""

    def __init__(self, number: int, user: str, password: str, host: str) -> None:
        self.number = number
        self.user = user
        self.password = password
        self.host = host

    def __repr__(self) -> str:
        return f"<session {self.number} of {self.user} at {self.host}>"


class Hypervisor:
    """The hypervisor, and what happened to it."""

    def __init__(
        self,
        *hooks: Callable[..., Any],
        settings: HypervisorSettings | None = None,
        threads: int | None = None,
        max_sessions: int = 100,
        services: tuple[Callable[..., Any], ...] = (),
        by_host: Mapping[str, HypervisorSettings] | None = None,
        audit: bool = False,
        trace: bool = False,
        **description: Any,
    ) -> None:
        """Make it.

        :param hooks: functions named as hooks; those that are marked already, wrappers for example, stay as
            they are
        :param services: generator functions that wrap ``operation_call``
        :param by_host: settings of hosts that have their own
        :param audit: whether audit lines go to standard output
        :param trace: whether each call of a hook is logged
        :param description: attributes of the HypervisorPlugin
        """
        self.connected: list[Session] = []
        self.disconnected: list[Session] = []
        self._lock = threading.Lock()
        plugin: HypervisorPlugin[HypervisorSettings] = HypervisorPlugin(
            **{
                "name": NAME,
                "title": "Lab",
                "settings": HypervisorSettings,
                "connect": self.connect,
                "disconnect": self.disconnected.append,
                "hooks": (_module(*map(_marked, hooks)),),
                **description,
            }
        )
        registry = Registry(
            hypervisors={NAME: make_hypervisor(plugin, NAME, "1")},
            services=tuple(
                Service(f"service-{number}", "services", "1", _module(hookimpl(wrapper=True)(wrapper)))
                for number, wrapper in enumerate(services)
            ),
            failures=(),
            service_failures=(),
            settings={NAME: HostSettings(settings or HypervisorSettings(), AllowList(["*"]), by_host or {})},
        )
        self.dispatcher = Dispatcher(
            registry, max_sessions=max_sessions, threads=threads, audit=audit, trace=trace
        )

    def connect(self, target: Target, credentials: Credentials, _settings: HypervisorSettings) -> Session:
        """Log in: anybody may."""
        with self._lock:
            session = Session(
                len(self.connected) + 1, credentials.username, credentials.password, target.name
            )
            self.connected.append(session)
        return session

    def call(
        self, hook: str, *, user: str = "admin", password: str = "secret", host: str = "h", **arguments: Any
    ) -> Any:
        """Call a hook as a request would."""
        target = Target(host)
        context = CallContext(hypervisor=NAME, host=host, user=user, request_id="-")
        return self.dispatcher.call(make_call(context, target, Credentials(user, password)), hook, arguments)

    @property
    def counts(self) -> dict[str, int]:
        return self.dispatcher.pool.counts()


def _marked(hook: Callable[..., Any]) -> Callable[..., Any]:
    return hook if hasattr(hook, IMPL_MARK) else hookimpl(hook)


def _module(*functions: Callable[..., Any]) -> ModuleType:
    module = ModuleType("lab_hooks")
    for function in functions:
        setattr(module, function.__name__, function)
    return module


def storage_info(session: Session, storage_id: str) -> Storage:
    """Show which session it was called with."""
    return Storage(
        id=str(session.number), name=session.user, type="t", used_space=0, allocated_space=0, size=1
    )


def session_of(hypervisor: Hypervisor, **who: str) -> int:
    """Return the number of the session that `storage_info` gets."""
    return int(hypervisor.call("storage_info", storage_id="1", **who).id)


class Gate:
    """Where hooks wait until the test lets them go on."""

    def __init__(self) -> None:
        self._arrivals = threading.Semaphore(0)
        self._open = threading.Event()

    def wait(self) -> None:
        """Arrive, and wait; for a test that fails, no longer than half a minute."""
        self._arrivals.release()
        assert self._open.wait(30)

    def await_arrivals(self, count: int = 1) -> None:
        """Wait until so many hooks have arrived."""
        for _ in range(count):
            assert self._arrivals.acquire(timeout=20)

    def open(self) -> None:
        """Let all go on."""
        self._open.set()
