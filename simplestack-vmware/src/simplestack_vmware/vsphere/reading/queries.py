"""What to read: where to start, how to walk the inventory from there, and which properties of what is met."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from simplestack_vmware.sdk import vmodl
from simplestack_vmware.vsphere.connection.refs import Ref, managed_type, types_above
from simplestack_vmware.vsphere.reading.schemas import Record, Schema, schema_of


class Walk(NamedTuple):
    """A step from objects of a type to the objects in one of their properties."""

    #: The type of the objects that have the property.
    type: str
    #: Path of the property.
    path: str
    #: Types of the objects that it leads to and from which walks go on.
    leads_to: tuple[str, ...] = ()


class Query:
    """Reads records of several kinds at once: one round trip, and one for each further page."""

    def __init__(
        self,
        starts: Iterable[Ref],
        kinds: Iterable[type[Record]],
        walks: Iterable[Walk] = (),
        only: Mapping[type[Record], frozenset[str]] | None = None,
    ) -> None:
        """Prepare a read.

        :param kinds: kinds of records to read, one for each type of objects
        :param walks: all that can be walked, from the starts and from what is met
        :param only: names of the fields to read, by kind of record; all of other kinds
        """
        self._starts = tuple(starts)
        self._walks = tuple(walks)
        only = only or {}
        self._schemas: dict[str, Schema[Any] | None] = {}
        self._paths: dict[str, tuple[str, ...]] = {}
        for kind in kinds:
            schema = self._schemas[kind.TYPE] = schema_of(kind)
            self._paths[kind.TYPE] = schema.paths(only.get(kind))

    def starts_at(self, moid: str | None) -> bool:
        """Return whether the read starts at an object."""
        return any(start.value == moid for start in self._starts)

    def schema_for(self, type_name: str) -> Schema[Any] | None:
        """Return the schema for objects of a type, or None if they are not wanted."""
        if type_name not in self._schemas:
            self._schemas[type_name] = next(
                (self._schemas[base] for base in types_above(type_name) if base in self._paths), None
            )
        return self._schemas[type_name]

    def for_soap(self) -> Any:
        """Return it as pyvmomi's ``PropertyFilterSpec``."""
        collector = vmodl.query.PropertyCollector
        walks = [
            collector.TraversalSpec(
                name=_name(walk),
                type=managed_type(walk.type),
                path=walk.path,
                skip=False,
                selectSet=[collector.SelectionSpec(name=name) for name in self._next(walk)],
            )
            for walk in self._walks
        ]
        properties = [
            collector.PropertySpec(type=managed_type(name), all=False, pathSet=list(paths))
            for name, paths in self._paths.items()
        ]
        objects = [
            collector.ObjectSpec(obj=managed_type(start.type)(start.value), skip=False, selectSet=walks)
            for start in self._starts
        ]
        return collector.FilterSpec(propSet=properties, objectSet=objects)

    def for_json(self) -> dict[str, Any]:
        """Return it as ``PropertyFilterSpec`` in VI-JSON."""
        walks = [
            {
                "_typeName": "TraversalSpec",
                "name": _name(walk),
                "type": walk.type,
                "path": walk.path,
                "skip": False,
                "selectSet": [{"_typeName": "SelectionSpec", "name": name} for name in self._next(walk)],
            }
            for walk in self._walks
        ]
        properties = [
            {"_typeName": "PropertySpec", "type": name, "all": False, "pathSet": list(paths)}
            for name, paths in self._paths.items()
        ]
        objects = [
            {
                "_typeName": "ObjectSpec",
                "obj": {"_typeName": "ManagedObjectReference", "type": start.type, "value": start.value},
                "skip": False,
                "selectSet": walks,
            }
            for start in self._starts
        ]
        return {"_typeName": "PropertyFilterSpec", "propSet": properties, "objectSet": objects}

    def _next(self, walk: Walk) -> list[str]:
        """Return the names of the walks that go on from where a walk leads."""
        return [_name(other) for other in self._walks if other.type in walk.leads_to]


def _name(walk: Walk) -> str:
    return f"{walk.type}.{walk.path}"
