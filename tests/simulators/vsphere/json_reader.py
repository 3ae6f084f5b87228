"""VI-JSON to values, as strictly as SOAP."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from simulators.vsphere.data import make
from simulators.vsphere.reader import invalid
from simulators.vsphere.scalars import XSD_TYPES, is_text, read_text
from simulators.vsphere.schema import (
    Binary,
    DataObject,
    Double,
    Enum,
    Field,
    Float,
    ManagedObject,
    Method,
    MethodFault,
    MethodName,
    TypeName,
    fields,
    find_method,
    type_by_name,
    vmodl_name,
)
from simulators.vsphere.versions import includes

_TYPE, _VALUE = "_typeName", "_value"
_REFERENCE = "ManagedObjectReference"
_TEXTUAL = (str, Binary, datetime)


class JsonRequest:
    """A call that came as JSON."""

    def __init__(self, kind: str, moid: str, method: str, body: bytes) -> None:
        """Read a request: the type and ID of the object, the method's name, and its parameters.

        :raises InvalidRequest: the body is not a JSON object
        """
        self.method = method
        self._kind = kind
        self._moid = moid
        try:
            self.parameters = msgspec.json.decode(body or b"{}", type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise invalid(f"JSON document is not valid: {error}") from error

    def this(self, _version: str) -> Any:
        """Return the reference of the object whose method it is."""
        return _reference({"type": self._kind, "value": self._moid}, ManagedObject, "_this")

    def arguments(self, method: Method, version: str) -> dict[str, Any]:
        """Return the parameters by name."""
        given = {name: value for name, value in self.parameters.items() if name != _TYPE}
        return _members(given, method.parameters, f"call information for method {method.name}", version)


def read_properties(kind: Any, given: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Return some properties of a data object, as VI-JSON has them; required ones may be missing.

    :raises InvalidRequest: there is no such property, or it is of another type
    """
    optional = [field._replace(is_optional=True) for field in fields(kind)]
    return _members(given, optional, f"properties of {vmodl_name(kind)}", version)


def _members(given: Mapping[str, Any], expected: Sequence[Field], where: str, version: str) -> dict[str, Any]:
    known = {field.name: field for field in expected if includes(version, field.version)}
    for name in given:
        if name not in known:
            raise invalid(f'Unexpected member "{name}" seen\n\nwhile parsing {where}')
    found = {}
    for field in known.values():
        value = given.get(field.name)
        if value is not None and (value or not field.is_array):
            found[field.name] = _field(field, value, version)
        elif not field.is_optional:
            raise invalid(f"Required property {field.name} is missing\n\nwhile parsing {where}")
    return found


def _field(field: Field, value: Any, version: str) -> Any:
    if not field.is_array:
        return _value(value, field.type, field.name, version)
    if not isinstance(value, list):
        raise invalid(f'Member "{field.name}" is no array')
    return [_value(item, field.type, field.name, version) for item in value]


def _value(value: Any, declared: Any, name: str, version: str) -> Any:
    if declared is object:
        return _any(value, name, version)
    if issubclass(declared, ManagedObject):
        return _reference(value, declared, name)
    if issubclass(declared, MethodFault):
        return _localized(value, name, version)
    if issubclass(declared, DataObject):
        return _object(value, declared, name, version)
    return _scalar(value, declared, name)


def _any(value: Any, name: str, version: str) -> Any:
    if not isinstance(value, dict) or not isinstance(value.get(_TYPE), str):
        raise invalid(f'Member "{name}" of any type has no {_TYPE}')
    type_name = value[_TYPE]
    if type_name == _REFERENCE:
        return _reference(value, ManagedObject, name)
    kind = Binary if type_name == "binary" else XSD_TYPES.get(type_name) or _named(type_name, version)
    if issubclass(kind, list):
        field = Field(_VALUE, kind.Item, True, False, "", None)
        return kind(_field(field, value.get(_VALUE), version))
    if issubclass(kind, DataObject):
        return _object(value, kind, name, version)
    return _scalar(value.get(_VALUE), kind, name)


def _named(name: str, version: str) -> Any:
    try:
        kind = type_by_name(name.replace(_REFERENCE, "ManagedObject"))
    except KeyError:
        kind = None
    since = getattr(getattr(kind, "Item", kind), "_version", None)
    if kind is None or (since is not None and not includes(version, since)):
        raise invalid(f'Unable to resolve type name "{name}"')
    return kind


def _object(value: Any, declared: Any, name: str, version: str) -> Any:
    if not isinstance(value, dict):
        raise invalid(f'Member "{name}" is no {vmodl_name(declared)}')
    kind = declared if _TYPE not in value else _named(str(value[_TYPE]), version)
    if not issubclass(kind, declared):
        raise invalid(f'Type "{value[_TYPE]}" of member "{name}" is no {vmodl_name(declared)}')
    given = {key: each for key, each in value.items() if key != _TYPE}
    where = f"serialized DataObject of type {vmodl_name(kind)}"
    return make(kind, **_members(given, fields(kind), where, version))


def _localized(value: Any, name: str, version: str) -> Any:
    if not isinstance(value, dict) or not value.keys() <= {_TYPE, "fault", "localizedMessage"}:
        raise invalid(f'Member "{name}" is no LocalizedMethodFault')
    fault = _object(value.get("fault"), MethodFault, "fault", version)
    fault.msg = value.get("localizedMessage")
    return fault


def _reference(value: Any, declared: Any, name: str) -> Any:
    if not isinstance(value, dict) or not value.keys() <= {_TYPE, "type", "value"}:
        raise invalid(f'Member "{name}" is no reference')
    try:
        kind = type_by_name(str(value.get("type")))
    except KeyError:
        kind = None
    if kind is None or not issubclass(kind, ManagedObject) or not issubclass(kind, declared):
        raise invalid(f'Member "{name}" is a reference of type "{value.get("type")}"')
    if not isinstance(value.get("value"), str) or not value["value"]:
        raise invalid(f'Member "{name}" has no managed object ID')
    return kind(value["value"])


def _scalar(value: Any, kind: Any, name: str) -> Any:
    wrong = invalid(f'"{value}" of member "{name}" is no {vmodl_name(kind)}')
    if kind is bool:
        if not isinstance(value, bool):
            raise wrong
        return value
    if kind in (TypeName, MethodName) or issubclass(kind, Enum) or issubclass(kind, _TEXTUAL):
        if not isinstance(value, str):
            raise wrong
        return _textual(value, kind, wrong)
    if isinstance(value, bool) or not isinstance(value, int | float if kind in (Float, Double) else int):
        raise wrong
    if not is_text(kind):
        raise wrong
    try:
        return read_text(kind, str(value))
    except ValueError:
        raise wrong from None


def _textual(value: str, kind: Any, wrong: Exception) -> Any:
    if kind is MethodName:
        if find_method(value) is None:
            raise wrong
        return value
    if kind is not TypeName and issubclass(kind, Enum):
        if value not in kind.values:
            raise wrong
        return kind(value)
    try:
        return type_by_name(value) if kind is TypeName else read_text(kind, value)
    except (KeyError, ValueError):
        raise wrong from None
