"""Values to VI-JSON: data objects have a ``_typeName``; scalars of any type are in a ``_value``."""

from functools import cache
from typing import Any

import msgspec
from msgspec import Raw

from simulators.vsphere.scalars import XSD_NAMES, write_text
from simulators.vsphere.schema import (
    Binary,
    DataObject,
    Enum,
    Field,
    ManagedObject,
    MethodFault,
    fields,
    name_of,
)
from simulators.vsphere.versions import includes
from simulators.vsphere.writer import compatible

_TYPE, _VALUE = "_typeName", "_value"
_REFERENCE = "ManagedObjectReference"


class Json:
    """VI-JSON: what is finished is JSON."""

    name = "json"

    def __init__(self, version: str) -> None:
        self.version = version

    def property(self, field: Field, value: Any) -> Raw:
        """Return a value as ``DynamicProperty.val`` has it."""
        return _raw(_boxed(field, value, self.version))

    def single(self, field: Field, value: Any) -> Raw:
        """Return a value as the result of reading one property."""
        return _raw(to_json(field, value, self.version))

    def object(self, tag: str, value: Any) -> Raw:  # noqa: ARG002  SOAP needs it
        """Return a data object as a finished part of a response."""
        return _raw(_plain(value, self.version))


def to_json(field: Field, value: Any, version: str) -> Any:
    """Return a property or result as JSON has it."""
    if isinstance(value, Raw):
        return value
    if field.is_array:
        return [_plain(item, version, field.type) for item in value]
    return _plain(value, version, field.type)


def fault_json(fault: Any, text: str, version: str) -> bytes:
    """Return the body of a fault."""
    return msgspec.json.encode({**_object(fault, version), "faultstring": text})


def _raw(value: Any) -> Raw:
    return Raw(msgspec.json.encode(value))


def _plain(value: Any, version: str, declared: Any = None) -> Any:
    if isinstance(value, Raw):
        return value
    if declared is object:
        is_array = isinstance(value, list)
        item = (getattr(value, "Item", None) or type(value[0])) if is_array else type(value)
        return _boxed(Field("", item, is_array, True, "", None), value, version)
    if isinstance(value, ManagedObject | DataObject):
        return _compound(value, version)
    return name_of(value) if isinstance(value, type) else _scalar(value)


def _scalar(value: Any) -> Any:
    """Return a scalar of Python's own types: msgspec encodes none that extend them."""
    if isinstance(value, bool):
        return value
    own = next((kind for kind in (str, int, float) if isinstance(value, kind)), None)
    return write_text(value) if own is None else own(value)


def _compound(value: Any, version: str) -> dict[str, Any]:
    if isinstance(value, ManagedObject):
        return {_TYPE: _REFERENCE, "type": name_of(type(value)), "value": value._moId}
    if isinstance(value, MethodFault):
        localized = {_TYPE: "LocalizedMethodFault", "fault": _object(value, version)}
        return localized | {"localizedMessage": value.msg or ""}
    return _object(value, version)


def _boxed(field: Field, value: Any, version: str) -> Any:
    if field.is_array:
        item = compatible(field.type, version)
        name = _REFERENCE if issubclass(item, ManagedObject) else name_of(item)
        items = [_plain(each, version) for each in value]
        return {_TYPE: f"ArrayOf{name[:1].upper()}{name[1:]}", _VALUE: items}
    if isinstance(value, ManagedObject | DataObject):
        return _plain(value, version)
    return {_TYPE: _scalar_name(field.type, type(value)), _VALUE: _plain(value, version)}


def _scalar_name(declared: Any, own: Any) -> str:
    if issubclass(declared, Enum):
        return name_of(declared)
    if declared is Binary:
        return "binary"
    return XSD_NAMES.get(declared) or XSD_NAMES.get(own) or "string"


def _object(value: Any, version: str) -> dict[str, Any]:
    kind: Any = type(value)
    name, own_fields = _plan(kind, version)
    found: dict[str, Any] = {_TYPE: name}
    properties = value.__dict__
    for field in own_fields:
        own = properties.get(field.name)
        if own is None or (field.is_array and not own):
            continue
        found[field.name] = to_json(field, own, version)
    return found


@cache
def _plan(kind: Any, version: str) -> tuple[str, tuple[Field, ...]]:
    base = compatible(kind, version)
    own = tuple(field for field in fields(base) if includes(version, field.version))
    return name_of(base), own
