"""What core adds to a call: `Dispatcher.call` of a hook that does nothing, beside the bare function.

The hypervisor here answers at once with the same guest, so what is left is core: finding the plugin, the
session from the pool, the service plugins, the check of what came back.
"""

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from types import ModuleType
from typing import Any

from benchmarks.comparisons import Comparison, Goal, take_turns
from benchmarks.scale import Scale
from simplestack import Credentials, Guest, GuestState, HypervisorPlugin, HypervisorSettings, Target, hookimpl
from simplestack.dispatch.call import make_call
from simplestack.dispatch.dispatcher import Dispatcher
from simplestack.entities.call_context import CallContext
from simplestack.plugins.host_settings import HostSettings
from simplestack.plugins.hypervisor import make_hypervisor
from simplestack.plugins.registry import Registry
from simplestack.plugins.service_loading import Service
from simplestack.sessions.targets import AllowList

_CALLS = 20_000
#: Starting a thread takes longer than all else together.
_GUARDED_CALLS = 2_000
_GUEST = Guest(
    id="1",
    name="web-1",
    cpus=2,
    memory=2048,
    hdd=20.0,
    paravirtualized=True,
    tools_up_to_date=True,
    ip="10.0.0.7",
    state=GuestState.STARTED,
    host="host-1",
)


@hookimpl
def guest_info(session: str, guest_id: str) -> Guest:
    """Answer at once."""
    return _GUEST


@hookimpl(wrapper=True)
def operation_call(
    operation: str, arguments: Mapping[str, Any], context: CallContext
) -> Generator[None, Any, Any]:
    """Wrap every operation, and change nothing: the least that a service plugin can be."""
    return (yield)


def run(scale: Scale) -> Iterator[Comparison]:
    """Compare dispatch with 0, 2 and 10 service plugins to a plain call."""
    subjects = {"plain": _timed(_plain)}
    counts = (0, 2, 10)
    for count in counts:
        subjects[str(count)] = _timed(_dispatched(count, enforces_time_limits=True))
    subjects["hanging"] = _timed(_dispatched(2, enforces_time_limits=False), _GUARDED_CALLS)
    found = take_turns(3 * scale.rounds, subjects)
    for count in counts:
        yield _comparison(f"dispatch, {count} service plugins", found[str(count)], found["plain"])
    what = "dispatch, 2 service plugins, in a thread with a deadline"
    yield _comparison(what, found["hanging"], found["plain"])


def _comparison(what: str, ours: list[float], plain: list[float]) -> Comparison:
    goal = Goal(of="difference", at_most=14) if what == "dispatch, 2 service plugins" else None
    return Comparison(
        benchmark="dispatch",
        what=what,
        beside="the hook as a plain function",
        unit="µs",
        ours=ours,
        other=plain,
        goal=goal,
    )


def _timed(call: Callable[[], object], count: int = _CALLS) -> Callable[[], float]:
    def microseconds() -> float:
        started = time.perf_counter()
        for _ in range(count):
            call()
        return 1e6 * (time.perf_counter() - started) / count

    return microseconds


def _plain() -> Guest:
    return guest_info(session="", guest_id="1")


def _dispatched(services: int, *, enforces_time_limits: bool) -> Callable[[], object]:
    plugin: HypervisorPlugin[HypervisorSettings] = HypervisorPlugin(
        name="idle",
        title="Idle",
        settings=HypervisorSettings,
        connect=lambda _target, credentials, _settings: credentials.username,
        disconnect=lambda _session: None,
        hooks=(_module(guest_info),),
        shares_sessions=True,
        enforces_time_limits=enforces_time_limits,
    )
    registry = Registry(
        hypervisors={"idle": make_hypervisor(plugin, "idle", "1")},
        services=tuple(
            Service(f"service-{number}", "services", "1", _module(operation_call))
            for number in range(services)
        ),
        failures=(),
        service_failures=(),
        settings={"idle": HostSettings(HypervisorSettings(), AllowList(["*"]), {})},
    )
    dispatcher = Dispatcher(registry, max_sessions=100, threads=None, audit=False)
    context = CallContext(hypervisor="idle", host="here", user="admin", request_id="-")
    # Who calls is known once, as to a Stack. A request's credentials belong to the REST layer's figure.
    call = make_call(context, Target("here"), Credentials("admin", "secret"))
    return lambda: dispatcher.call(call, "guest_info", {"guest_id": "1"})


def _module(function: Callable[..., Any]) -> ModuleType:
    module = ModuleType(f"benchmark_{function.__name__}")
    setattr(module, function.__name__, function)
    return module
