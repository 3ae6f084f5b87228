"""Which objects a ``PropertyFilterSpec`` selects, and whether it is valid."""

from collections.abc import Iterator
from typing import Any

from pyVmomi import vmodl

from simulators.vsphere.database import Database, Object
from simulators.vsphere.paths import resolve, steps
from simulators.vsphere.schema import ManagedObject, fields_by_name
from simulators.vsphere.sessions import Session

PropertyCollector = vmodl.query.PropertyCollector
_VIEW, _READ = "System.View", "System.Read"


class Selection:
    """A filter spec, checked for one API version."""

    def __init__(self, spec: Any, version: str, session: Session | None) -> None:
        """Check a spec.

        :param session: whose privileges count: what it may not view is not found
        :raises InvalidProperty: a path is unknown
        :raises InvalidArgument: a type is no managed type, or a selection has an unknown name
        """
        self._spec = spec
        self._session = session
        self._named: dict[str, Any] = {}
        for object_spec in spec.objectSet:
            for traversal in _traversals(object_spec.selectSet):
                if traversal.name:
                    self._named[traversal.name] = traversal
        for object_spec in spec.objectSet:
            self._check(object_spec.selectSet, version)
        for property_spec in spec.propSet:
            _check_type(property_spec.type, "propSet.type")
            for path in property_spec.pathSet:
                resolve(property_spec.type, path, version)

    def objects(self, database: Database, *, leave_out_missing: bool = False) -> dict[str, Object]:
        """Return the selected objects by ID, in the order in which they were found.

        :param leave_out_missing: do so, whatever the spec says
        :raises ManagedObjectNotFound: one to begin with is gone, and the spec does not say to leave it out
        """
        found: dict[str, Object] = {}
        visited: set[tuple[str, int]] = set()
        for object_spec in self._spec.objectSet:
            try:
                start = database.get(object_spec.obj)
            except vmodl.fault.ManagedObjectNotFound:
                if leave_out_missing or self._spec.reportMissingObjectsInResults:
                    continue
                raise
            pending = [(start, object_spec.selectSet, bool(object_spec.skip))]
            while pending:
                subject, selections, is_skipped = pending.pop()
                if not is_skipped and self.properties(subject) is not None:
                    found[subject.id] = subject
                pending += reversed(list(self._next(database, subject, selections, visited)))
        return found

    def properties(self, subject: Object) -> Any:
        """Return the ``PropertySpec`` of an object: that of the most derived type; None without one."""
        matching = [spec for spec in self._spec.propSet if issubclass(subject.kind, spec.type)]
        return max(matching, key=lambda spec: len(spec.type.__mro__), default=None)

    def _next(
        self, database: Database, subject: Object, selections: list[Any], visited: set[tuple[str, int]]
    ) -> Iterator[tuple[Object, list[Any], bool]]:
        for selection in selections:
            traversal = self._traversal(selection)
            key = (subject.id, id(traversal))
            if not issubclass(subject.kind, traversal.type) or key in visited:
                continue
            visited.add(key)
            if not self._may(fields_by_name(subject.kind)[steps(traversal.path)[0]].privilege, subject):
                continue
            value = subject[traversal.path]
            for ref in value if isinstance(value, list) else [value]:
                found = None if ref is None else database.find(ref._moId)
                if found is not None and self._may(_VIEW, found):
                    yield found, traversal.selectSet, bool(traversal.skip)

    def _may(self, privilege: str | None, subject: Object) -> bool:
        return self._session is None or self._session.account.has(privilege or _READ, subject.id)

    def _traversal(self, selection: Any) -> Any:
        if isinstance(selection, PropertyCollector.TraversalSpec):
            return selection
        return self._named[selection.name]

    def _check(self, selections: list[Any], version: str) -> None:
        for selection in selections:
            if not isinstance(selection, PropertyCollector.TraversalSpec):
                if selection.name not in self._named:
                    raise vmodl.fault.InvalidArgument(invalidProperty="objectSet.selectSet.name")
                continue
            _check_type(selection.type, "objectSet.selectSet.type")
            field = resolve(selection.type, selection.path, version)
            if not issubclass(field.type, ManagedObject):
                raise vmodl.query.InvalidProperty(name=selection.path)
            self._check(selection.selectSet, version)


def _traversals(selections: list[Any]) -> Iterator[Any]:
    for selection in selections:
        if isinstance(selection, PropertyCollector.TraversalSpec):
            yield selection
            yield from _traversals(selection.selectSet)


def _check_type(kind: Any, where: str) -> None:
    if not issubclass(kind, ManagedObject):
        raise vmodl.fault.InvalidArgument(invalidProperty=where)
