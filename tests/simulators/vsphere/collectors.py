"""What sessions are waiting for: the filters of property collectors, and what clients know already."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pyVmomi import vmodl

from simulators.vsphere.data import copy, make
from simulators.vsphere.database import Database, Object
from simulators.vsphere.differences import change, partial_changes
from simulators.vsphere.paths import resolve, steps
from simulators.vsphere.properties import missing, paths_of, read
from simulators.vsphere.selection import Selection
from simulators.vsphere.sessions import Session
from simulators.vsphere.wires import Wire

_Collector: Any = vmodl.query.PropertyCollector


class Known(NamedTuple):
    """An object as a client knows it."""

    ref: Any
    #: The number of the object's last change.
    changed: int
    values: Mapping[str, Any]
    faults: frozenset[str]
    #: The values themselves, for partial updates.
    copies: Mapping[str, Any]


#: What a client knows through a filter, by object ID.
View = Mapping[str, Known]


class Filter:
    """A ``PropertyFilter``."""

    def __init__(self, made: Object, spec: Any, session: Session, wire: Wire, *, is_partial: bool) -> None:
        """Check the spec.

        :raises InvalidProperty: as `Selection`
        :raises ManagedObjectNotFound: as `Selection.objects`
        """
        self.made = made
        self._session = session
        self._wire = wire
        self._is_partial = is_partial
        self._selection = Selection(spec, wire.version, session)
        self._selection.objects(made.database)

    def updates(self, database: Database, known: View, limit: int | None) -> tuple[list[Any], View, bool]:
        """Return what a client does not know yet.

        :param limit: of updates
        :return: updates, what the client knows then, and whether there are more
        """
        objects = self._selection.objects(database, leave_out_missing=True)
        after = dict(known)
        found: list[Any] = []
        for moid in known.keys() - objects.keys():
            if limit is not None and len(found) >= limit:
                return found, after, True
            gone = after.pop(moid)
            found.append(make(_Collector.ObjectUpdate, kind="leave", obj=gone.ref))
        for moid, subject in objects.items():
            before = known.get(moid)
            if before is not None and before.changed == subject.changed and self._is_stable(subject):
                continue
            now = self._read(subject)
            if before is not None and (before.values, before.faults) == (now.values, now.faults):
                after[moid] = now
                continue
            if limit is not None and len(found) >= limit:
                return found, after, True
            after[moid] = now
            found.append(self._update(subject, before, now))
        return found, after, False

    def _paths(self, subject: Object) -> list[str]:
        return paths_of(self._selection.properties(subject), subject, self._wire.version)

    def _is_stable(self, subject: Object) -> bool:
        return all(subject.is_cacheable(steps(path)[0]) for path in self._paths(subject))

    def _read(self, subject: Object) -> Known:
        values, faults = read(subject, self._paths(subject), self._wire, self._session)
        copies = {path: copy(subject[path]) for path in values} if self._is_partial else {}
        return Known(subject.ref, subject.changed, values, frozenset(faults), copies)

    def _update(self, subject: Object, before: Known | None, now: Known) -> Any:
        _, faults = read(subject, sorted(now.faults), self._wire, self._session)
        if before is None:
            changes = [change(path, "assign", value) for path, value in now.values.items()]
        else:
            changes = self._changes(subject, before, now)
        kind = "enter" if before is None else "modify"
        return make(
            _Collector.ObjectUpdate, kind=kind, obj=subject.ref, changeSet=changes, missingSet=missing(faults)
        )

    def _changes(self, subject: Object, before: Known, now: Known) -> list[Any]:
        changes = []
        for path in before.values.keys() - now.values.keys() - now.faults:
            is_inside = len(steps(path)) > 1
            changes.append(change(path, "indirectRemove" if is_inside else "assign"))
        for path, value in now.values.items():
            if before.values.get(path) == value:
                continue
            if self._is_partial and path in before.copies:
                field = resolve(subject.kind, path, self._wire.version)
                pair = before.copies[path], now.copies[path]
                changes += partial_changes(path, field, *pair, self._wire)
            else:
                changes.append(change(path, "assign", value))
        return changes


class Collector:
    """A property collector of a session: its filters, and the versions that its client may name."""

    def __init__(self) -> None:
        self.filters: dict[str, Filter] = {}
        #: How often its waiting calls were cancelled.
        self.cancellations = 0
        #: How many calls are waiting.
        self.waiting = 0
        self._number = 0
        #: What the client knows at the last two versions: it may have lost the last response.
        self._views: dict[str, Mapping[str, View]] = {"": {}}

    def check_version(self, version: str) -> None:
        """Check that a client may go on from a version.

        :raises InvalidCollectorVersion: it never had it, or has gone on from it twice
        """
        if version and version not in self._views:
            raise vmodl.query.InvalidCollectorVersion

    def collect(self, database: Database, version: str, limit: int | None) -> Any:
        """Return an ``UpdateSet`` of what has changed since a version; None if nothing has.

        :param limit: of object updates
        """
        since = self._views[version] if version else {}
        after: dict[str, View] = {}
        sets = []
        is_truncated = False
        for moid, made in self.filters.items():
            known = since.get(moid, {})
            if is_truncated:
                after[moid] = known
                continue
            found, after[moid], is_truncated = made.updates(database, known, limit)
            limit = None if limit is None else limit - len(found)
            if found:
                sets.append(make(_Collector.FilterUpdate, filter=made.made.ref, objectSet=found))
        if not sets:
            return None
        self._number += 1
        current = str(self._number)
        self._views = {"": {}, version: since, current: after} if version else {"": {}, current: after}
        return make(_Collector.UpdateSet, version=current, filterSet=sets, truncated=is_truncated or None)
