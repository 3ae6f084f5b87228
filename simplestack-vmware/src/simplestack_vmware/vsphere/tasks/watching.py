"""Wait until properties change, with property collectors of the session's own.

``WaitForTask`` of pyvmomi makes seven calls for this. Here, a wait takes one to make a filter, and one for
each change. Filters are not removed one by one: a collector that has had many is destroyed with all of them.
"""

import math
import threading
import time
from collections.abc import Generator, Iterable, Mapping
from typing import Any
from xml.etree.ElementTree import Element

from simplestack import SimplestackError
from simplestack_vmware.sdk import vmodl
from simplestack_vmware.vsphere.connection.api import Api
from simplestack_vmware.vsphere.connection.faults import Fault, child, local_name, text_of
from simplestack_vmware.vsphere.connection.limits import at_least
from simplestack_vmware.vsphere.connection.refs import Ref, managed_type

#: How long the host may wait for a change before it answers. The next call detects a host that is down.
_LONGEST_WAIT_SECONDS = 30.0
_MAX_FILTERS = 32
#: Minimum time limits, so that a task is also cancelled if its operation has little time left: of a call that
#: prepares a wait, and of the response to a wait that has ended.
_PREPARATION_SECONDS = _RESPONSE_SECONDS = 1.0

#: Values of properties, by the object's ID and the property's path; None is a property without a value.
Values = dict[tuple[str, str], Element | None]


class Gone(Exception):
    """The object to watch does not exist any more."""


class _Collector:
    """A property collector, used by one wait at a time."""

    def __init__(self, handle: Any) -> None:
        self.handle = handle
        self.version = ""
        self.filters = 0


class Watcher:
    """Watches objects of a session. Several threads may use it."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._lock = threading.Lock()
        self._idle: list[_Collector] = []

    def changes(
        self, watched: Mapping[Ref, Iterable[str]], limit_seconds: float
    ) -> Generator[Values, None, None]:
        """Yield the values of properties, at once and after each change, until the time limit.

        :param watched: paths of properties, by object
        :raises Gone: an object does not exist
        :raises Fault: vSphere rejects the wait, also with a new collector: the objects may be all right
        """
        deadline = time.monotonic() + limit_seconds
        collector = self._take()
        is_renewed = False
        try:
            self._add_filter(collector, watched)
            known: Values = {}
            names = {ref.value for ref in watched}
            while True:
                patience = min(_LONGEST_WAIT_SECONDS, max(0.0, deadline - time.monotonic()))
                try:
                    changed = self._wait(collector, names, patience)
                except Fault:
                    if is_renewed:
                        raise
                    # Perhaps of an earlier filter: some servers reject one whose object was removed.
                    is_renewed = True
                    collector = self._renewed(collector, watched)
                    continue
                known |= changed
                if changed:
                    yield dict(known)
                if time.monotonic() >= deadline:
                    break
                if not changed:  # perhaps a change was lost, which must not hold the operation for an hour
                    collector = self._renewed(collector, watched)
        except (Gone, GeneratorExit):
            self._give_back(collector)
            raise
        except Fault:
            self._retire(collector)
            raise
        self._give_back(collector)

    def _take(self) -> _Collector:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return self._new()

    def _new(self) -> _Collector:
        with at_least(_PREPARATION_SECONDS):
            return _Collector(self._api.content.propertyCollector.CreatePropertyCollector())

    def _renewed(self, collector: _Collector, watched: Mapping[Ref, Iterable[str]]) -> _Collector:
        """Return a new collector in place of another one. It begins with the values as they are now."""
        self._retire(collector)
        renewed = self._new()
        self._add_filter(renewed, watched)
        return renewed

    def _give_back(self, collector: _Collector) -> None:
        if collector.filters >= _MAX_FILTERS:
            self._retire(collector)
        else:
            with self._lock:
                self._idle.append(collector)

    def _retire(self, collector: _Collector) -> None:
        """Destroy a collector with its filters. If that fails, it ends with the session."""
        try:
            with at_least(_PREPARATION_SECONDS):
                collector.handle.Destroy()
        except (Fault, SimplestackError):
            return

    def _add_filter(self, collector: _Collector, watched: Mapping[Ref, Iterable[str]]) -> None:
        namespace = vmodl.query.PropertyCollector
        properties = [
            namespace.PropertySpec(type=managed_type(ref.type), all=False, pathSet=list(paths))
            for ref, paths in watched.items()
        ]
        objects = [namespace.ObjectSpec(obj=managed_type(ref.type)(ref.value), skip=False) for ref in watched]
        spec = namespace.FilterSpec(propSet=properties, objectSet=objects)
        try:
            with at_least(_PREPARATION_SECONDS):
                collector.handle.CreateFilter(spec, False)
        except Fault as fault:
            if fault.is_a("ManagedObjectNotFound"):
                raise Gone from None
            raise
        collector.filters += 1

    def _wait(self, collector: _Collector, names: set[str], patience_seconds: float) -> Values:
        """Wait for changes of objects, and return them."""
        seconds = max(1, math.ceil(patience_seconds))  # which vSphere counts
        options = vmodl.query.PropertyCollector.WaitOptions(maxWaitSeconds=seconds)
        try:
            with at_least(seconds + _RESPONSE_SECONDS):
                response = self._api.call_raw(
                    collector.handle,
                    "WaitForUpdatesEx",
                    (collector.version, options),
                    limit_seconds=seconds + self._api.limit_seconds,
                )
        except Fault as fault:
            if not fault.is_a("InvalidCollectorVersion"):
                raise
            collector.version = ""  # the response with the next version was lost with its connection
            return {}
        update = child(response, "returnval")
        if update is None:  # nothing has changed
            return {}
        collector.version = text_of(update, "version")
        return _changed(update, names)


def _changed(update: Element, names: set[str]) -> Values:
    """Return the new values of properties of objects.

    :raises Gone: one of the objects does not exist any more
    """
    changed: Values = {}
    for each in update.iter():
        if local_name(each) != "objectSet":
            continue
        moid = text_of(each, "obj")
        if moid not in names:
            continue
        if text_of(each, "kind") == "leave":
            raise Gone
        for change in each:
            if local_name(change) == "changeSet":
                changed[moid, text_of(change, "name")] = child(change, "val")
    return changed
