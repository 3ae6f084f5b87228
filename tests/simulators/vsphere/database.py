"""The managed objects, and their properties.

A property's value is a pyVmomi value: a data object, a reference, a string, or a list of them. It may also
be `Later`, which is made when it is needed, or `Live`, which is made each time it is read. Properties that
follow from others are in `derived`.
"""

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pyVmomi import vim, vmodl

from simulators.vsphere import derived
from simulators.vsphere.paths import steps, walk
from simulators.vsphere.schema import check_value, fields_by_name


class Later:
    """A value that is made when it is needed: 10,000 VMs start without their devices."""

    __slots__ = ("build", "known")

    def __init__(self, build: Callable[[], Any], **known: Any) -> None:
        """Remember how a value is made.

        :param known: by path, what is known of the value before it is made
        """
        self.build = build
        self.known = known


class Live:
    """A value that is made each time it is read, by `build`. It may raise a fault."""

    __slots__ = ("build",)

    def __init__(self, build: Callable[[], Any]) -> None:
        self.build = build


class Object:
    """A managed object. Whoever reads or changes it holds the database's lock."""

    __slots__ = ("added", "changed", "database", "memo", "ref", "session_key", "values", "written")

    def __init__(
        self, database: "Database", ref: Any, values: dict[str, Any], session_key: str | None
    ) -> None:
        self.database = database
        #: A pyVmomi reference without a connection.
        self.ref = ref
        self.values = values
        #: Of the session that it ends with, such as that of a view.
        self.session_key = session_key
        self.added = self.changed = 0
        #: Values that were made for one reading, which must not stay in memory.
        self.memo: dict[str, Any] | None = None
        #: Its properties as they were last written: by protocol, API version, paths and so on.
        self.written: dict[tuple[Any, ...], Any] = {}

    @property
    def id(self) -> str:
        """Its managed object ID."""
        found: str = self.ref._moId
        return found

    @property
    def kind(self) -> Any:
        """Its managed type, as pyVmomi has it."""
        return type(self.ref)

    def __getitem__(self, path: str) -> Any:
        """Return the value at a path: ``config.hardware.device[2000]``; None if it is unset."""
        name, *rest = steps(path)
        value = self.values.get(name)
        if isinstance(value, Later) and (within := ".".join(rest)) in value.known:
            return value.known[within]
        return walk(self._root(name), rest)

    def __setitem__(self, path: str, value: Any) -> None:
        """Set the value of a property by its path, and tell of it.

        :raises AttributeError: there is no such property
        :raises TypeError: the property is of another type
        """
        *before, name = steps(path)
        if before:
            setattr(walk(self._root(before[0]), before[1:]), name, value)
        elif name in fields_by_name(self.kind):
            if not isinstance(value, Later | Live):
                check_value(self.kind, name, value)
            self.values[name] = value
        else:
            raise AttributeError(f"{self.kind.__name__} has no {name}")
        self.touch()

    def touch(self) -> None:
        """Tell of a change that was made in place: ``vm["config"].annotation = "x"; vm.touch()``."""
        self.database.note_change(self)

    def is_cacheable(self, name: str) -> bool:
        """Return whether a property changes only when the object does."""
        if name in self.values:
            return not isinstance(self.values[name], Live)
        return derived.is_own(self.kind, name)

    def _root(self, name: str) -> Any:
        if self.memo is not None and name in self.memo:
            return self.memo[name]
        value = self.values.get(name)
        if isinstance(value, Live):
            return value.build()
        if isinstance(value, Later):
            value = value.build()
            if self.memo is None:
                self.values[name] = value
        elif value is None and name not in self.values:
            derivation = derived.find(self.kind, name)
            if derivation is not None:
                value = derivation(self)
            elif fields_by_name(self.kind)[name].is_array:
                value = []
            else:
                return None
        else:
            return value
        if self.memo is not None:
            self.memo[name] = value
        return value


class Database:
    """All managed objects, by managed object ID."""

    def __init__(self, prefixes: Mapping[Any, str]) -> None:
        """Begin without any.

        :param prefixes: of new managed object IDs, by type
        """
        self.lock = threading.RLock()
        #: Notified of each change.
        self.changes = threading.Condition(self.lock)
        #: The number of the last change.
        self.change = 0
        self._prefixes = prefixes
        self._numbers = itertools.count(1)
        self._objects: dict[str, Object] = {}
        self._by_kind: dict[Any, dict[str, Object]] = {}
        #: VMs by UUID: whether it is the instance's, and the UUID.
        self._by_uuid: dict[tuple[bool, str], dict[str, Object]] = {}
        self._uuids: dict[str, list[tuple[bool, str]]] = {}

    def add(
        self, kind: Any, moid: str | None = None, /, *, session_key: str | None = None, **values: Any
    ) -> Object:
        """Make an object.

        :param kind: its managed type
        :param moid: its ID; by default a new one
        :param session_key: of the session that it ends with
        :param values: of its properties
        :raises AttributeError: the type has no such property
        """
        unknown = values.keys() - fields_by_name(kind).keys()
        if unknown:
            raise AttributeError(f"{kind.__name__} has no {sorted(unknown)}")
        with self.lock:
            made = Object(self, kind(moid or self.new_id(kind)), values, session_key)
            if made.id in self._objects:
                raise AssertionError(f"{made.id} is there already")
            self._objects[made.id] = made
            self._by_kind.setdefault(kind, {})[made.id] = made
            self.note_change(made)
            made.added = made.changed
        return made

    def remove(self, found: Object) -> None:
        """Let an object be no more."""
        with self.lock:
            del self._objects[found.id]
            del self._by_kind[found.kind][found.id]
            self._forget_uuids(found)
            self._advance()

    def get(self, ref: Any) -> Object:
        """Return the object of a reference.

        :raises ManagedObjectNotFound: there is none, or it is of another type
        """
        found = self._objects.get(ref._moId)
        if found is None or not isinstance(found.ref, type(ref)):
            raise vmodl.fault.ManagedObjectNotFound(obj=ref)
        return found

    def find(self, moid: str) -> Object | None:
        """Return the object with an ID, if there is one."""
        return self._objects.get(moid)

    def all(self, kind: Any) -> Iterator[Object]:
        """Yield the objects of a type and the types that extend it, as they are at this moment."""
        with self.lock:
            kinds = [found for found in self._by_kind if issubclass(found, kind)]
            return iter([made for found in kinds for made in self._by_kind[found].values()])

    def one(self, kind: Any) -> Object:
        """Return the only object of a type, such as ``vim.SearchIndex``."""
        (found,) = self.all(kind)
        return found

    def by_name(self, kind: Any, name: str) -> Object:
        """Return the only object of a type that has a name."""
        (found,) = [each for each in self.all(kind) if each["name"] == name]
        return found

    def by_uuid(self, uuid: str, *, instance: bool) -> list[Object]:
        """Return the VMs that have a BIOS UUID, or an instance UUID."""
        return list(self._by_uuid.get((instance, uuid.lower()), {}).values())

    def counts(self) -> dict[str, int]:
        """Return the number of objects of each type, by the type's name in SOAP."""
        with self.lock:
            return {kind._wsdlName: len(made) for kind, made in self._by_kind.items() if made}

    def new_id(self, kind: Any) -> str:
        """Return an ID that no object has."""
        prefix = next((self._prefixes[base] for base in kind.__mro__ if base in self._prefixes), "")
        while True:
            found = f"{prefix}{next(self._numbers)}"
            if found not in self._objects:
                return found

    def note_change(self, changed: Object) -> None:
        """Tell that an object has changed."""
        with self.lock:
            changed.written.clear()
            changed.memo = None
            changed.changed = self._advance()
            if issubclass(changed.kind, vim.VirtualMachine):
                self._forget_uuids(changed)
                self._note_uuids(changed)

    def _advance(self) -> int:
        self.change += 1
        self.changes.notify_all()
        return self.change

    def _note_uuids(self, vm: Object) -> None:
        if vm.values.get("config") is None:
            return
        own = [(False, vm["config.uuid"]), (True, vm["config.instanceUuid"])]
        self._uuids[vm.id] = [(instance, uuid.lower()) for instance, uuid in own if uuid]
        for key in self._uuids[vm.id]:
            self._by_uuid.setdefault(key, {})[vm.id] = vm

    def _forget_uuids(self, vm: Object) -> None:
        for key in self._uuids.pop(vm.id, ()):
            self._by_uuid[key].pop(vm.id, None)
