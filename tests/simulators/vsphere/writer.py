"""Values to SOAP, as an API version has them: what is newer is left out, or becomes its base type."""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from simulators.vsphere.scalars import XSD_NAMES, write_text
from simulators.vsphere.schema import (
    DataObject,
    Enum,
    Field,
    ManagedObject,
    MethodFault,
    PropertyPath,
    fields,
    name_of,
)
from simulators.vsphere.versions import includes

_REFERENCE = "ManagedObjectReference"
Parts = list[str]

#: Readers of XML turn it into a line feed, unless it is written so.
_CARRIAGE_RETURN = {"\r": "&#13;"}


class Written(str):
    """A value that is written already, with its element."""

    __slots__ = ()


class _Plan(NamedTuple):
    """How the objects of a type are written."""

    name: str
    #: Name, whether it is an array, and type.
    fields: tuple[tuple[str, bool, Any], ...]


def write(parts: Parts, tag: str, value: Any, declared: Any, version: str, *, is_any: bool = False) -> None:
    """Write an element; nothing if the value is None.

    :param declared: the type that the element has, unless ``xsi:type`` narrows it
    :param is_any: the element's own type is ``anyType``, so that ``xsi:type`` is always there
    """
    if value is None:
        return
    if declared is object:
        is_any, declared = True, _own_type(value)
    kind: Any = type(value)
    writer = _writer(kind)
    if writer is None:
        attribute = f' xsi:type="{_scalar_name(value, declared)}"' if is_any else ""
        parts.append(f"<{tag}{attribute}>{_escaped(value)}</{tag}>")
    else:
        writer(parts, tag, value, declared, version, is_any=is_any)


def write_field(parts: Parts, field: Field, value: Any, version: str) -> None:
    """Write a property of an object: nothing, one element, or one for each item."""
    if field.is_array:
        for item in value:
            write(parts, field.name, item, field.type, version)
    else:
        write(parts, field.name, value, field.type, version)


def write_property(parts: Parts, tag: str, field: Field, value: Any, version: str) -> None:
    """Write a property's value as an ``anyType``, as ``PropertyCollector`` returns it."""
    if field.is_array:
        write_array(parts, tag, value, field.type, version)
    else:
        write(parts, tag, value, field.type, version, is_any=True)


def write_array(parts: Parts, tag: str, items: list[Any], item_type: Any, version: str) -> None:
    """Write an array as one element: ``ArrayOf...``. Its items have ``xsi:type``: libvirt relies on that."""
    item = compatible(getattr(items, "Item", None) or item_type, version)
    name = _REFERENCE if issubclass(item, ManagedObject) else name_of(item)
    capital = name[:1].upper() + name[1:]
    parts.append(f'<{tag} xsi:type="ArrayOf{capital}">')
    for value in items:
        write(parts, name, value, item, version, is_any=True)
    parts.append(f"</{tag}>")


def write_fault(parts: Parts, tag: str, fault: Any, version: str) -> None:
    """Write a fault without its message: SOAP has that elsewhere."""
    _write_object(parts, tag, fault, None, version, is_any=True)


def _write_written(parts: Parts, _tag: str, value: Any, *_others: Any, is_any: bool) -> None:
    parts.append(value)


def _write_array(parts: Parts, tag: str, value: Any, declared: Any, version: str, *, is_any: bool) -> None:
    write_array(parts, tag, value, declared, version)


def _write_reference(parts: Parts, tag: str, value: Any, *_others: Any, is_any: bool) -> None:
    attribute = f' xsi:type="{_REFERENCE}"' if is_any else ""
    kind: Any = type(value)
    parts.append(f'<{tag}{attribute} type="{kind._wsdlName}">{escape(value._moId)}</{tag}>')


def _write_localized(
    parts: Parts, tag: str, fault: Any, _declared: Any, version: str, *, is_any: bool
) -> None:
    attribute = ' xsi:type="LocalizedMethodFault"' if is_any else ""
    parts.append(f"<{tag}{attribute}>")
    write_fault(parts, "fault", fault, version)
    parts.append(f"<localizedMessage>{escape(fault.msg or '')}</localizedMessage></{tag}>")


def _write_object(parts: Parts, tag: str, value: Any, declared: Any, version: str, *, is_any: bool) -> None:
    kind: Any = type(value)
    plan = _plan(kind, version)
    parts.append(f'<{tag} xsi:type="{plan.name}">' if is_any or kind is not declared else f"<{tag}>")
    properties = value.__dict__
    for name, is_array, own_type in plan.fields:
        own = properties.get(name)
        if own is None:
            continue
        if is_array:
            for item in own:
                write(parts, name, item, own_type, version)
        else:
            write(parts, name, own, own_type, version)
    parts.append(f"</{tag}>")


@cache
def _writer(kind: Any) -> Callable[..., None] | None:
    """Return what writes the values of a type; None if they are text."""
    if issubclass(kind, Written):
        return _write_written
    if issubclass(kind, ManagedObject):
        return _write_reference
    if issubclass(kind, MethodFault):
        return _write_localized
    if issubclass(kind, DataObject):
        return _write_object
    return _write_array if issubclass(kind, list) else None


@cache
def _plan(kind: Any, version: str) -> _Plan:
    base = compatible(kind, version)
    own = tuple(
        (field.name, field.is_array, field.type) for field in fields(base) if includes(version, field.version)
    )
    return _Plan(name_of(base), own)


@cache
def compatible(kind: Any, version: str) -> Any:
    """Return a type, or the base type that an older version has in its place."""
    while getattr(kind, "_version", None) is not None and not includes(version, kind._version):
        kind = kind.__bases__[0]
    return kind


def _own_type(value: Any) -> Any:
    if isinstance(value, list):
        return getattr(value, "Item", None) or type(value[0])
    return type(value)


def _scalar_name(value: Any, declared: Any) -> str:
    if issubclass(declared, Enum):
        return name_of(declared)
    if declared is PropertyPath or isinstance(value, type):
        return "xsd:string"
    found = XSD_NAMES.get(declared) or XSD_NAMES.get(type(value)) or "string"
    return f"xsd:{found}"


def _escaped(value: Any) -> str:
    if isinstance(value, type):
        return name_of(value)
    text = value if isinstance(value, str) else write_text(value)
    # An enum's own `replace` may be one of its values.
    return escape(text[:], _CARRIAGE_RETURN)
