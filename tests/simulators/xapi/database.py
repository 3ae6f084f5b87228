"""All objects of a simulated pool, and what they look like on each wire."""

import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from simulators.xapi.datamodel import Class, classes
from simulators.xapi.failures import Failure

#: XAPI remembers as many removed objects of each class for ``event.from`` (its ``deleteringsize``).
MAX_REMOVED = 500


class Object:
    """One object: its fields, and its record as it was last written out."""

    def __init__(
        self, class_: Class, ref: str, values: dict[str, Any], next_change: Callable[[], int]
    ) -> None:
        self.class_ = class_
        self.ref = ref
        self._values = values
        self._next_change = next_change
        #: The numbers of the changes that made it what it is, first and last.
        self.added = self.changed = next_change()
        self._xml: str | None = None
        self._json: msgspec.Raw | None = None

    def __getitem__(self, field: str) -> Any:
        return self._values[field]

    def __setitem__(self, field: str, value: Any) -> None:
        self._values[field] = value
        self._xml = self._json = None
        self.changed = self._next_change()

    @property
    def xml(self) -> str:
        """The record's ``<struct>``."""
        if self._xml is None:
            self._xml = self.class_.record.to_xml(self._values)
        return self._xml

    @property
    def json(self) -> msgspec.Raw:
        """The record as a JSON object."""
        if self._json is None:
            self._json = msgspec.Raw(msgspec.json.encode(self.class_.record.to_json(self._values)))
        return self._json


class Database:
    """Objects by class and reference. Whoever changes several at once holds the lock."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        #: Notified of each change.
        self.changes = threading.Condition(self.lock)
        #: The number of the last change.
        self.change = 0
        #: By class: the last removed objects, and the change that removed each, oldest first.
        self.removed: dict[str, deque[tuple[int, Object]]] = {
            name: deque(maxlen=MAX_REMOVED) for name in classes()
        }
        self._objects: dict[str, dict[str, Object]] = {name: {} for name in classes()}
        self._by_uuid: dict[tuple[str, str], Object] = {}

    def add(self, class_name: str, values: Mapping[str, Any]) -> Object:
        """Make an object. Fields that are not among the values have their defaults."""
        class_ = classes()[class_name]
        ref = f"OpaqueRef:{uuid.uuid4()}"
        complete = {name: field.default() for name, field in class_.fields.items()}
        complete |= {"uuid": str(uuid.uuid4()), **values}
        with self.lock:
            made = Object(class_, ref, complete, self._next_change)
            self._objects[class_name][ref] = made
            self._by_uuid[class_name, made["uuid"]] = made
        return made

    def remove(self, found: Object) -> None:
        """Let an object be no more."""
        with self.lock:
            del self._objects[found.class_.name][found.ref]
            del self._by_uuid[found.class_.name, found["uuid"]]
            self.removed[found.class_.name].append((self._next_change(), found))

    def get(self, class_name: str, ref: str) -> Object:
        """Return an object.

        :raises Failure: HANDLE_INVALID
        """
        found = self._objects[class_name].get(ref)
        if found is None:
            raise Failure("HANDLE_INVALID", class_name, ref)
        return found

    def find(self, class_name: str, ref: str) -> Object | None:
        """Return an object, where there is one."""
        return self._objects[class_name].get(ref)

    def by_uuid(self, class_name: str, text: str) -> Object:
        """Return the object that has a UUID.

        :raises Failure: UUID_INVALID
        """
        found = self._by_uuid.get((class_name, text))
        if found is None:
            raise Failure("UUID_INVALID", class_name, text)
        return found

    def all(self, class_name: str) -> Iterator[Object]:
        """Yield the objects of a class, as they are at this moment."""
        with self.lock:
            return iter(list(self._objects[class_name].values()))

    def counts(self) -> dict[str, int]:
        """Return the number of objects of each class."""
        with self.lock:
            return {name: len(objects) for name, objects in self._objects.items()}

    def _next_change(self) -> int:
        with self.lock:
            self.change += 1
            self.changes.notify_all()
            return self.change
