"""How the properties of an object become a record: a msgspec struct whose field names are property paths.

.. code-block:: python

    class VmSize(Record, frozen=True, kw_only=True):
        TYPE: ClassVar[str] = "VirtualMachine"
        memory: int | None = field(name="config.hardware.memoryMB", default=None)

A schema decodes the same record from SOAP and from VI-JSON. Nested structs name the fields of vSphere's data
objects that they need; all others are skipped. A field that is missing, or has another type than declared,
gets its default: new types and values of later versions of vSphere lose no list.
"""

import logging
from functools import cache
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import msgspec
from msgspec import Struct, field
from msgspec import inspect as types

from simplestack_vmware.vsphere.connection.refs import Ref

_log = logging.getLogger(__name__)

R = TypeVar("R", bound="Record")


class Record(Struct, frozen=True, kw_only=True):
    """What is read of a managed object."""

    #: The type of the objects, and of those with a type below it.
    TYPE: ClassVar[str] = "ManagedEntity"

    #: The object.
    ref: Ref
    #: Whether properties are missing, because the user may not read them or the object has none.
    lacks: frozenset[str] = frozenset()


class Leaf(NamedTuple):
    """Plan to read an element's text."""

    #: Whether white space around it is part of the value.
    is_text: bool


class RefLeaf(NamedTuple):
    """Plan to read a reference."""


class Branch(NamedTuple):
    """Plan to read a data object."""

    #: Plans of its fields; other fields are skipped.
    children: "dict[str, Plan]"
    #: Whether the record wants the object's type, as `_typeName`.
    wants_type: bool
    #: What it becomes.
    kind: type[Struct]


class Items(NamedTuple):
    """Plan to read an array."""

    item: "Leaf | RefLeaf | Branch"
    #: Types of the items to read; empty for all. Other items are skipped.
    only: frozenset[str]


Plan = Leaf | RefLeaf | Branch | Items


class Box(Struct, Generic[R]):
    """A simple value or an array in VI-JSON, where any type may be."""

    value: R = field(name="_value")


class Property:
    """A property of a record."""

    def __init__(self, name: str, kind: Any, inspected: types.Type) -> None:
        #: The field of the record.
        self.name = name
        self._kind = kind
        self.plan = plan_of(inspected)
        self._is_text = isinstance(self.plan, Leaf) and self.plan.is_text
        boxed = isinstance(self.plan, Leaf | Items)
        # `Any` is what the type becomes at run time anyway.
        self._decoder = msgspec.json.Decoder(Box[kind] if boxed else kind, strict=False)
        self._is_boxed = boxed

    def from_soap(self, value: Any) -> Any:
        """Return the value that the SOAP parser has read, as the field's type.

        :raises msgspec.ValidationError: it has another type
        """
        if self._is_text:
            return value
        try:
            return msgspec.convert(value, self._kind, strict=False)
        except msgspec.ValidationError:
            return self._without_misfits(value)

    def from_json(self, value: msgspec.Raw) -> Any:
        """Return the value in VI-JSON, as the field's type.

        :raises msgspec.DecodeError: it has another type
        """
        try:
            decoded = self._decoder.decode(value)
            items = decoded.value if self._is_boxed else decoded
        except msgspec.ValidationError:
            raw = msgspec.json.decode(value)
            items = self._without_misfits(raw["_value"] if self._is_boxed else raw)
        if isinstance(self.plan, Items) and self.plan.only:
            return [item for item in items if item.type_name in self.plan.only]
        return items

    def _without_misfits(self, value: Any) -> Any:
        """Return a value without the fields within it that have another type than declared.

        Otherwise one of them would hide all devices of a guest.

        :raises msgspec.ValidationError: the value itself has another type
        """
        if isinstance(self.plan, Items) and isinstance(self.plan.item, Branch) and isinstance(value, list):
            return [_fitting(item, self.plan.item) for item in value]
        if isinstance(self.plan, Branch):
            return _fitting(value, self.plan)
        raise msgspec.ValidationError(f"not a {self._kind}")


class Schema(Generic[R]):
    """The properties of a kind of record."""

    def __init__(self, kind: type[R]) -> None:
        self.kind = kind
        self.properties: dict[str, Property] = {}
        inspected = types.type_info(kind)
        assert isinstance(inspected, types.StructType)  # noqa: S101  for the type checker
        hints = {each.name: each.type for each in msgspec.structs.fields(kind)}
        for each in inspected.fields:
            if each.name not in Record.__struct_fields__:
                self.properties[each.encode_name] = Property(each.name, hints[each.name], each.type)

    def paths(self, names: frozenset[str] | None = None) -> tuple[str, ...]:
        """Return the property paths to read: of all fields, or of some."""
        if names is None:
            return tuple(self.properties)
        return tuple(path for path, each in self.properties.items() if each.name in names)


@cache
def schema_of(kind: type[R]) -> Schema[R]:
    """Return the schema of a kind of record."""
    return Schema(kind)


def plan_of(kind: types.Type) -> Plan:
    """Return how to read a type from SOAP."""
    return _plan(kind, {})


def _plan(kind: types.Type, seen: dict[type, Branch]) -> Plan:
    only: frozenset[str] = frozenset()
    while isinstance(kind, types.Metadata | types.UnionType):
        if isinstance(kind, types.Metadata):
            only = frozenset((kind.extra or {}).get("only", ()))
            kind = kind.type
        else:
            (kind,) = [each for each in kind.types if not isinstance(each, types.NoneType)]
    if isinstance(kind, types.StructType):
        return _branch(kind, seen)
    if isinstance(kind, types.ListType):
        item = _plan(kind.item_type, seen)
        assert not isinstance(item, Items)  # noqa: S101  vSphere has no arrays of arrays
        return Items(item, only)
    return Leaf(isinstance(kind, types.StrType))


def _branch(kind: types.StructType, seen: dict[type, Branch]) -> Branch | RefLeaf:
    if kind.cls is Ref:
        return RefLeaf()
    if kind.cls not in seen:  # else it is within itself, as trees are
        children: dict[str, Plan] = {}
        wants_type = any(each.encode_name == "_typeName" for each in kind.fields)
        seen[kind.cls] = Branch(children, wants_type, kind.cls)
        for each in kind.fields:
            if each.encode_name != "_typeName":
                children[each.encode_name] = _plan(each.type, seen)
    return seen[kind.cls]


def _fitting(value: Any, plan: Branch) -> Struct:
    """Return a data object without its fields that have another type than declared."""
    fitting = {}
    for name, each in (value if isinstance(value, dict) else {}).items():
        child = plan.children.get(name)
        try:
            msgspec.convert({name: each}, plan.kind, strict=False)
            fitting[name] = each
        except msgspec.ValidationError as error:
            _log.warning("%s of a %s is not what this version expects: %s", name, plan.kind.__name__, error)
            if isinstance(child, Branch):
                fitting[name] = msgspec.to_builtins(_fitting(each, child))
    return msgspec.convert(fitting, plan.kind, strict=False)
