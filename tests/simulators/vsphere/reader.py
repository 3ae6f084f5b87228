"""SOAP to values, strictly: an element that the type does not have at that place is InvalidRequest."""

from collections.abc import Sequence
from typing import Any

from pyVmomi import vmodl

from simulators.vsphere.data import make
from simulators.vsphere.scalars import XSD, XSD_TYPES, is_text, read_text
from simulators.vsphere.schema import (
    NAMESPACE,
    DataObject,
    Enum,
    Field,
    ManagedObject,
    MethodFault,
    MethodName,
    PropertyPath,
    TypeName,
    fields,
    find_method,
    name_of,
    type_by_name,
    vmodl_name,
)
from simulators.vsphere.tree import Node
from simulators.vsphere.versions import includes

_REFERENCE = "ManagedObjectReference"


class _Bare:
    """The declared type of a fault without a message, which is inside of one with a message."""


def invalid(message: str) -> vmodl.fault.InvalidRequest:
    """Return the fault of a request that cannot be read."""
    return vmodl.fault.InvalidRequest(msg=message)


class Reader:
    """Reads values as one API version has them."""

    def __init__(self, version: str) -> None:
        self._version = version

    def members(self, nodes: Sequence[Node], expected: Sequence[Field], where: str) -> dict[str, Any]:
        """Read elements that are to come in a certain order.

        :param where: for messages: what they are part of
        :return: what there is, by name
        :raises InvalidRequest: an element is unknown, missing, repeated, or of a wrong type
        """
        found: dict[str, Any] = {}
        position = 0
        for node in nodes:
            start = position
            while position < len(expected) and not self._is(node, expected[position]):
                position += 1
            if position == len(expected):
                raise invalid(f'Unexpected element tag "{node.name}" seen\n\nwhile parsing {where}')
            _require(expected[start:position], found, where)
            field = expected[position]
            value = self.value(node, field.type)
            if field.is_array:
                found.setdefault(field.name, []).append(value)
            else:
                found[field.name] = value
                position += 1
        _require(expected[position:], found, where)
        return found

    def value(self, node: Node, declared: Any) -> Any:
        """Read one value.

        :param declared: its type, which the element may narrow by ``xsi:type``
        :raises InvalidRequest: it is none
        """
        is_bare = declared is _Bare
        kind = self._type(node, MethodFault if is_bare else declared, is_localized=not is_bare)
        if issubclass(kind, list):
            return self._array(node, kind)
        if issubclass(kind, ManagedObject):
            return _reference(node, kind)
        if issubclass(kind, MethodFault) and not is_bare:
            return self._localized(node)
        if issubclass(kind, DataObject):
            _no_text(node)
            values = self.members(node.children, fields(kind), f"serialized DataObject of type {_name(kind)}")
            return make(kind, **values)
        if node.children:
            raise invalid(f'Unexpected element tag "{node.children[0].name}" seen in "{node.name}"')
        return _scalar(node, kind)

    def _is(self, node: Node, field: Field) -> bool:
        """Return whether an element is a field, which the client's version has."""
        return (
            node.name == field.name and node.namespace == NAMESPACE and includes(self._version, field.version)
        )

    def _type(self, node: Node, declared: Any, *, is_localized: bool) -> Any:
        if node.type is None:
            if declared is object:
                raise invalid(f'Element "{node.name}" of type anyType has no xsi:type')
            return declared
        namespace, name = node.type
        if declared in (TypeName, MethodName, PropertyPath):
            return declared
        kind = self._named(namespace, name)
        if issubclass(declared, ManagedObject) and kind is ManagedObject:
            return declared
        if is_localized and issubclass(declared, MethodFault):
            kind = declared if name == "LocalizedMethodFault" else None
        if kind is None or not issubclass(kind, declared):
            raise invalid(f'Type "{name}" of element "{node.name}" is no {_name(declared)}')
        return kind

    def _named(self, namespace: str, name: str) -> Any:
        kind: Any = None
        if namespace == XSD:
            kind = XSD_TYPES.get(name)
        elif namespace == NAMESPACE:
            base = name.replace(_REFERENCE, "ManagedObject") if name.endswith(_REFERENCE) else name
            try:
                kind = type_by_name(base)
            except KeyError:
                kind = None
        version = getattr(getattr(kind, "Item", kind), "_version", None)
        if kind is None or (version is not None and not includes(self._version, version)):
            raise invalid(f'Unable to resolve WSDL type name "{namespace}":"{name}"')
        return kind

    def _array(self, node: Node, kind: Any) -> Any:
        _no_text(node)
        item = kind.Item
        tag = _REFERENCE if issubclass(item, ManagedObject) else name_of(item)
        for child in node.children:
            if child.name != tag or child.namespace != NAMESPACE:
                raise invalid(
                    f'Unexpected element tag "{child.name}" seen\n\nwhile parsing an array of {tag}'
                )
        return kind(self.value(child, item) for child in node.children)

    def _localized(self, node: Node) -> Any:
        """Read a fault in data, which has its message beside it."""
        where = "serialized DataObject of type LocalizedMethodFault"
        version = "vmodl.version.version0"
        expected = (
            Field("fault", _Bare, False, False, version, None),
            Field("localizedMessage", str, False, True, version, None),
        )
        found = self.members(node.children, expected, where)
        fault = found["fault"]
        fault.msg = found.get("localizedMessage")
        return fault


def _require(skipped: Sequence[Field], found: dict[str, Any], where: str) -> None:
    """Check that fields that did not come are optional."""
    for field in skipped:
        if not field.is_optional and field.name not in found:
            raise invalid(f"Required property {field.name} is missing\n\nwhile parsing {where}")


def _reference(node: Node, declared: Any) -> Any:
    name = node.attributes.get("type")
    try:
        kind = None if name is None else type_by_name(name)
    except KeyError:
        kind = None
    if kind is None or not issubclass(kind, ManagedObject) or not issubclass(kind, declared):
        raise invalid(f'Element "{node.name}" is a reference of type "{name}", not {_name(declared)}')
    if node.children or not node.text.strip():
        raise invalid(f'Element "{node.name}" has no managed object ID')
    return kind(node.text.strip())


def _scalar(node: Node, kind: Any) -> Any:
    text = node.text
    if kind is TypeName:
        try:
            return type_by_name(text.strip())
        except KeyError:
            raise invalid(f'Unable to resolve WSDL type name "{text}"') from None
    if kind is MethodName:
        if find_method(text.strip()) is None:
            raise invalid(f'Unable to resolve WSDL method name "{text}"')
        return text.strip()
    if issubclass(kind, Enum):
        if text.strip() not in kind.values:
            raise invalid(f'"{text}" in element "{node.name}" is no value of enum {_name(kind)}')
        return kind(text.strip())
    if not is_text(kind):
        raise invalid(f'Element "{node.name}" has no value')
    try:
        return read_text(kind, text)
    except ValueError:
        raise invalid(f'"{text}" in element "{node.name}" is no {_name(kind)}') from None


def _no_text(node: Node) -> None:
    if node.text.strip():
        raise invalid(f'Unexpected text "{node.text.strip()}" in element "{node.name}"')


def _name(kind: Any) -> str:
    return vmodl_name(kind)
