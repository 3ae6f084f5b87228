"""Check requests that a client has sent against pyvmomi's tables, apart from the simulator's own reading.

A request is what the simulator's journal has: the API version and the call, by SOAP or VI-JSON.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pyVmomi import VmomiSupport

from simulators.vsphere.json_reader import JsonRequest
from simulators.vsphere.soap import Request
from simulators.vsphere.tree import Node

TABLES: Any = VmomiSupport
_NAMESPACE = "urn:vim25"
_TYPE, _VALUE = "_typeName", "_value"
_REFERENCE = "ManagedObjectReference"


def wrong(version: str, request: Request | JsonRequest) -> Iterator[str]:
    """Yield what is wrong with a request: unknown, mistyped, or newer than the API version."""
    try:
        info = TABLES.GetWsdlMethod(_NAMESPACE, request.method).info
    except KeyError:
        yield f"{request.method} is no method"
        return
    check = _Check(version, request.method)
    yield from check.is_included(info.version, request.method)
    if isinstance(request, JsonRequest):
        given = {name: value for name, value in request.parameters.items() if name != _TYPE}
        yield from check.members(given, info.params, request.method)
    else:
        kind = request.elements[0].attributes.get("type", "")
        if not issubclass(_named(kind) or object, info.type):
            yield f"{request.method} is no method of {kind}"
        yield from check.elements(request.elements[1:], info.params, request.method)


class _Check:
    def __init__(self, version: str, method: str) -> None:
        self._version = version
        self._method = method

    def is_included(self, since: str, what: str) -> Iterator[str]:
        if since not in TABLES.parentMap[self._version]:
            yield f"{self._method}: {what} is newer than {TABLES.versionIdMap[self._version]}"

    def elements(self, nodes: Iterable[Node], infos: Iterable[Any], where: str) -> Iterator[str]:
        """Check the fields of an object, or the parameters of a method, in SOAP."""
        known = {info.name: info for info in infos}
        order = list(known)
        position = 0
        for node in nodes:
            info = known.get(node.name)
            if info is None:
                yield f"{self._method}: {where} has no {node.name}"
                continue
            if order.index(node.name) < position:
                yield f"{self._method}: {where}.{node.name} is out of order"
            position = order.index(node.name)
            yield from self.is_included(info.version, f"{where}.{node.name}")
            kind = getattr(info.type, "Item", info.type)
            yield from self._element(node, kind, f"{where}.{node.name}")
        yield from self._missing(known, {node.name for node in nodes}, where)

    def members(self, given: Mapping[str, Any], infos: Iterable[Any], where: str) -> Iterator[str]:
        """Check the fields of an object, or the parameters of a method, in VI-JSON."""
        known = {info.name: info for info in infos}
        for name, value in given.items():
            info = known.get(name)
            if info is None:
                yield f"{self._method}: {where} has no {name}"
                continue
            yield from self.is_included(info.version, f"{where}.{name}")
            is_array = hasattr(info.type, "Item")
            if is_array != isinstance(value, list):
                yield f"{self._method}: {where}.{name} is {'no' if is_array else 'an'} array"
                continue
            for each in value if is_array else [value]:
                yield from self._member(each, getattr(info.type, "Item", info.type), f"{where}.{name}")
        yield from self._missing(known, set(given), where)

    def _missing(self, known: Mapping[str, Any], given: set[str], where: str) -> Iterator[str]:
        for name, info in known.items():
            is_new = info.version not in TABLES.parentMap[self._version]
            if name not in given and not info.flags & TABLES.F_OPTIONAL and not is_new:
                yield f"{self._method}: {where} lacks {name}"

    def _element(self, node: Node, declared: Any, where: str) -> Iterator[str]:
        kind = declared if node.type is None else _named(node.type[1])
        if kind is None:
            yield f"{self._method}: {where} has the unknown type {node.type}"
        elif issubclass(declared, TABLES.ManagedObject):
            yield from self._reference(node.attributes.get("type", ""), node.text.strip(), declared, where)
        elif issubclass(kind, TABLES.DataObject):
            yield from self._object(kind, declared, where)
            yield from self.elements(node.children, kind._GetPropertyList(), where)
        elif issubclass(kind, list):
            for child in node.children:
                yield from self._element(child, kind.Item, where)
        else:
            yield from self._text(node.text, kind, declared, where)

    def _member(self, value: Any, declared: Any, where: str) -> Iterator[str]:
        if issubclass(declared, TABLES.ManagedObject):
            yield from self._reference(str(value.get("type")), str(value.get("value")), declared, where)
        elif issubclass(declared, TABLES.DataObject):
            kind = _named(value.get(_TYPE, "")) or declared
            yield from self._object(kind, declared, where)
            given = {name: each for name, each in value.items() if name != _TYPE}
            yield from self.members(given, kind._GetPropertyList(), where)
        elif isinstance(value, dict) and _VALUE in value:
            yield from self._text(str(value[_VALUE]), _named(value[_TYPE]) or declared, declared, where)
        else:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            yield from self._text(text, declared, declared, where)

    def _object(self, kind: Any, declared: Any, where: str) -> Iterator[str]:
        if not issubclass(kind, declared):
            yield f"{self._method}: {where} is a {kind.__name__}, no {declared.__name__}"
        yield from self.is_included(kind._version, f"{where}: {kind.__name__}")

    def _reference(self, name: str, moid: str, declared: Any, where: str) -> Iterator[str]:
        kind = _named(name)
        if kind is None or not issubclass(kind, declared) or not moid:
            yield f"{self._method}: {where} is {name}:{moid}, no {declared.__name__}"
        else:
            yield from self.is_included(kind._version, f"{where}: {name}")

    def _text(self, text: str, kind: Any, declared: Any, where: str) -> Iterator[str]:
        if declared is type:
            if _named(text) is None:
                yield f"{self._method}: {where} is {text}, no type"
        elif issubclass(kind, TABLES.Enum):
            if text not in kind.values:
                yield f"{self._method}: {where} is {text}, no {kind.__name__}"
        elif issubclass(kind, bool):
            if text not in ("true", "false", "1", "0"):
                yield f"{self._method}: {where} is {text}, no boolean"
        elif issubclass(kind, int):
            bits = 63 if kind is TABLES.long else 7 if kind is TABLES.byte else 15
            bits = 31 if kind is int else bits
            if not text.strip().lstrip("-").isdecimal() or not -(2**bits) <= int(text) < 2**bits:
                yield f"{self._method}: {where} is {text}, no {kind.__name__}"


def paths(version: str, request: Request | JsonRequest) -> Iterator[str]:
    """Yield the paths of properties in a read that an API version does not have."""
    for kind, path in _property_paths(request):
        current: Any = _named(kind)
        for step in path.split("."):
            name = step.partition("[")[0]
            info = None if current is None else _property(current, name)
            if info is None:
                yield f"{request.method}: {kind} has no {path}"
                break
            yield from _Check(version, request.method).is_included(info.version, f"{kind}.{path}")
            current = getattr(info.type, "Item", info.type)


def _property_paths(request: Request | JsonRequest) -> Iterator[tuple[str, str]]:
    if isinstance(request, JsonRequest):
        for spec in request.parameters.get("specSet", []):
            for each in spec["propSet"]:
                yield from ((each["type"], path) for path in each.get("pathSet", []))
        return
    for element in request.elements:
        for each in element.children if element.name in ("specSet", "spec") else []:
            if each.name == "propSet":
                (kind,) = [node.text for node in each.children if node.name == "type"]
                yield from ((kind, node.text) for node in each.children if node.name == "pathSet")


def _property(kind: Any, name: str) -> Any:
    return next((info for info in kind._GetPropertyList() if info.name == name), None)


def _named(name: str) -> Any:
    base = {_REFERENCE: "ManagedObject"}.get(name, name)
    simple = {"string": str, "int": int, "long": TABLES.long, "boolean": bool, "dateTime": str, "anyURI": str}
    try:
        return simple.get(base) or TABLES.GetWsdlType(_NAMESPACE, base)
    except KeyError:
        return None
