"""``PropertyCollector``: filters, and waiting for what they select to change."""

import time
from typing import Any

from pyVmomi import vim, vmodl

from simulators.vsphere.calls import Call
from simulators.vsphere.collectors import Collector, Filter
from simulators.vsphere.methods import method

_Collector: Any = vmodl.query.PropertyCollector


@method(_Collector, "CreatePropertyCollector")
def create_property_collector(call: Call) -> Any:
    """Make a property collector of the session's own."""
    key = call.own_session.key
    return call.database.add(_Collector, f"session[{key}]{_number(call)}", session_key=key).ref


@method(_Collector, "DestroyPropertyCollector")
def destroy_property_collector(call: Call) -> None:
    """Remove a property collector and its filters, and end its waiting calls."""
    if call.target.session_key is None:
        raise vmodl.fault.NotSupported
    for made in _own(call).filters.values():
        call.database.remove(made.made)
    del call.simulator.collectors[_key(call)]
    call.database.remove(call.target)


@method(_Collector, "CreateFilter")
def create_filter(call: Call, spec: Any, partial_updates: bool) -> Any:
    """Make a filter."""
    session = call.own_session
    made = call.database.add(
        _Collector.Filter,
        f"session[{session.key}]{_number(call)}",
        session_key=session.key,
        spec=spec,
        partialUpdates=partial_updates,
    )
    try:
        found = Filter(made, spec, session, call.wire, is_partial=partial_updates)
    except vmodl.MethodFault:
        call.database.remove(made)
        raise
    _own(call).filters[made.id] = found
    call.database.changes.notify_all()
    return made.ref


@method(_Collector.Filter, "DestroyPropertyFilter", privilege="System.View")
def destroy_property_filter(call: Call) -> None:
    """Remove a filter."""
    for collector in call.simulator.collectors.values():
        collector.filters.pop(call.target.id, None)
    call.database.remove(call.target)


@method(_Collector, "WaitForUpdatesEx")
def wait_for_updates_ex(call: Call, version: str | None, options: Any) -> Any:
    """Return what has changed since a version, as soon as something has; None after the given seconds."""
    seconds = None if options is None else options.maxWaitSeconds
    limit = None if options is None else options.maxObjectUpdates
    for name, value, least in (("maxWaitSeconds", seconds, 0), ("maxObjectUpdates", limit, 1)):
        if value is not None and value < least:
            raise vmodl.fault.InvalidArgument(invalidProperty=f"options.{name}")
    return _wait(call, version or "", seconds, limit)


@method(_Collector, "WaitForUpdates")
def wait_for_updates(call: Call, version: str | None) -> Any:
    """Return what has changed since a version, as soon as something has."""
    return _wait(call, version or "", None, None)


@method(_Collector, "CheckForUpdates")
def check_for_updates(call: Call, version: str | None) -> Any:
    """Return what has changed since a version; None if nothing has."""
    return _wait(call, version or "", 0, None)


@method(_Collector, "CancelWaitForUpdates")
def cancel_wait_for_updates(call: Call) -> None:
    """End the waiting calls."""
    _own(call).cancellations += 1
    call.database.changes.notify_all()


def _wait(call: Call, version: str, seconds: int | None, limit: int | None) -> Any:
    collector, session = _own(call), call.own_session
    collector.check_version(version)
    cancellations = collector.cancellations
    deadline = None if seconds is None else time.monotonic() + seconds
    while True:
        found = collector.collect(call.database, version, limit)
        if found is not None:
            return found
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            return None
        collector.waiting += 1
        call.database.changes.wait(left)
        collector.waiting -= 1
        if not call.simulator.sessions.is_alive(session):
            raise vim.fault.NotAuthenticated(object=call.target.ref, privilegeId="System.View")
        if collector.cancellations != cancellations:
            raise vmodl.fault.RequestCanceled
        call.resolve(call.target.ref)


def _own(call: Call) -> Collector:
    return call.simulator.collectors.setdefault(_key(call), Collector())


def _key(call: Call) -> tuple[str, str]:
    return call.own_session.key, call.target.id


def _number(call: Call) -> str:
    return call.database.new_id(_Collector.Filter).rjust(8, "0")
