"""What vSphere does not have: ``/simulator/counts``, ``faults``, ``guests``, ``options`` and ``state``.

``GET counts`` returns how often each method was called, and ``DELETE counts`` begins anew. ``POST faults``
orders a fault, and ``DELETE faults`` removes all and lets held tasks go on. ``POST guests`` sets what guests
do. ``POST options`` sets durations and limits. ``GET state`` returns what clients have left behind.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct
from pyVmomi import vim

from simulators.vsphere.guest_systems import Guests
from simulators.vsphere.simulator import Simulator

PREFIX = "/simulator/"
_JSON = "application/json"


def _files(simulator: Simulator) -> list[str]:
    datastores = simulator.database.all(vim.Datastore)
    return sorted(
        f"[{store['name']}] {path}" for store in datastores for path in simulator.files.all(store.id)
    )


#: Returns a part of the state. Other modules add theirs: ``STATES["name"] = ...``.
STATES: dict[str, Callable[[Simulator], Any]] = {
    "objects": lambda simulator: simulator.database.counts(),
    "vms": lambda simulator: sorted(vm["name"] for vm in simulator.database.all(vim.VirtualMachine)),
    "sessions": lambda simulator: [session.user for session in simulator.sessions.all()],
    "tasks": lambda simulator: simulator.tasks.states(),
    "files": _files,
    "leases": lambda simulator: simulator.leases.held(),
    "defects": lambda simulator: simulator.defects,
    "rejections": lambda simulator: simulator.rejections,
}


class Options(Struct, kw_only=True, forbid_unknown_fields=True):
    """What can be set while the simulator runs."""

    latency_seconds: float | None = None
    task_seconds: float | None = None
    session_idle_seconds: float | None = None
    session_limit: int | None = None
    lease_seconds: float | None = None


class Answer(NamedTuple):
    """A response to whoever runs the simulator."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain"


def answer(simulator: Simulator, command: str, path: str, body: bytes) -> Answer:
    """Answer a request."""
    what = path.removeprefix(PREFIX)
    try:
        match command, what:
            case "GET", "counts":
                return Answer(200, msgspec.json.encode(simulator.counts), _JSON)
            case "GET", "state":
                return Answer(200, msgspec.json.encode(state(simulator)), _JSON)
            case "POST", "faults":
                simulator.faults.order(body)
            case "POST", "guests":
                _set_guests(simulator, msgspec.json.decode(body, type=Guests))
            case "POST", "options":
                _set(simulator, msgspec.json.decode(body, type=Options))
            case "DELETE", "faults":
                simulator.faults.clear()
            case "DELETE", "counts":
                simulator.counts.clear()
            case _:
                return Answer(404)
    except (msgspec.DecodeError, ValueError) as error:
        return Answer(400, str(error).encode())
    return Answer(204)


def state(simulator: Simulator) -> Mapping[str, Any]:
    """Return what there is, to find what a client has left behind."""
    with simulator.database.lock:
        return {name: found(simulator) for name, found in STATES.items()}


def _set(simulator: Simulator, options: Options) -> None:
    with simulator.database.lock:
        if options.latency_seconds is not None:
            simulator.latency_seconds = options.latency_seconds
        if options.task_seconds is not None:
            simulator.tasks.seconds = options.task_seconds
        if options.session_idle_seconds is not None:
            simulator.sessions.idle = timedelta(seconds=options.session_idle_seconds)
        if options.session_limit is not None:
            simulator.sessions.limit = options.session_limit
        if options.lease_seconds is not None:
            simulator.leases.seconds = options.lease_seconds


def _set_guests(simulator: Simulator, guests: Guests) -> None:
    with simulator.database.lock:
        simulator.guests.set(guests)
