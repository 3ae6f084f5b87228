"""Data objects, made and copied faster than pyVmomi's constructors do, for inventories of many objects."""

from functools import cache
from typing import Any, TypeVar, cast

from simulators.vsphere.schema import TABLES, DataObject, Enum, fields

T = TypeVar("T")


def make(kind: type[T], /, **values: Any) -> T:
    """Make a data object: as ``kind(**values)``, but without type checks.

    :raises AttributeError: the type has no such property
    """
    made: T = kind.__new__(kind)
    scalars, arrays = _defaults(cast("Any", kind))
    properties = made.__dict__
    properties.update(scalars)
    for name, array in arrays:
        properties[name] = array()
    size = len(properties)
    properties.update(values)
    if len(properties) != size:
        unknown = values.keys() - {field.name for field in fields(cast("Any", kind))}
        raise AttributeError(f"{kind.__name__} has no {sorted(unknown)}")
    return made


def array(kind: Any, items: list[Any]) -> Any:
    """Make an array that is a whole value, such as a task's result."""
    return TABLES.CreateArrayType(kind)(items)


def copy(value: Any) -> Any:
    """Return a deep copy of a property's value. References stay the same."""
    if isinstance(value, list):
        return type(value)(copy(item) for item in value)
    if isinstance(value, DataObject):
        kind: Any = type(value)
        made = kind.__new__(kind)
        made.__dict__.update((name, copy(own)) for name, own in value.__dict__.items())
        return made
    return value


@cache
def _defaults(kind: Any) -> tuple[dict[str, Any], list[tuple[str, Any]]]:
    """Return what properties have that are not set: None, but numbers 0, and arrays that are empty."""
    scalars: dict[str, Any] = {"msg": None} if issubclass(kind, BaseException) else {}
    arrays = []
    for field in fields(kind):
        if field.is_array:
            arrays.append((field.name, TABLES.CreateArrayType(field.type)))
        elif field.is_optional or issubclass(field.type, Enum) or field.type is object:
            scalars[field.name] = None
        elif field.type is bool:
            scalars[field.name] = False
        elif issubclass(field.type, int | float):
            scalars[field.name] = field.type(0)
        elif issubclass(field.type, str):
            scalars[field.name] = ""
        else:
            scalars[field.name] = None
    return scalars, arrays
