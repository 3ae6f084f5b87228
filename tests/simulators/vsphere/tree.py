"""XML as a tree, with the namespaces that values such as ``xsi:type="xsd:string"`` need."""

from collections.abc import Mapping
from typing import Any
from xml.parsers import expat

XSI = "http://www.w3.org/2001/XMLSchema-instance"


class Malformed(Exception):
    """The text is not XML that the server reads."""


class Node:
    """An element."""

    __slots__ = ("attributes", "children", "name", "namespace", "text", "type")

    def __init__(self, namespace: str, name: str, attributes: Mapping[str, str]) -> None:
        self.namespace = namespace
        self.name = name
        #: Those without a namespace.
        self.attributes = attributes
        #: What ``xsi:type`` names: namespace and name.
        self.type: tuple[str, str] | None = None
        self.children: list[Node] = []
        self.text = ""


class _Builder:
    """Builds the tree as expat reads."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self._open: list[Node] = []
        self._prefixes: dict[str | None, list[str]] = {}

    def start_namespace(self, prefix: str | None, uri: str | None) -> None:
        self._prefixes.setdefault(prefix, []).append(uri or "")

    def end_namespace(self, prefix: str | None) -> None:
        self._prefixes[prefix].pop()

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        namespace, _, name = tag.rpartition(" ")
        node = Node(namespace, name, {key: value for key, value in attributes.items() if " " not in key})
        named = attributes.get(f"{XSI} type")
        if named is not None:
            node.type = self._resolve(named.strip())
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node
        self._open.append(node)

    def end(self, _tag: str) -> None:
        self._open.pop()

    def text(self, text: str) -> None:
        if self._open:
            self._open[-1].text += text

    def doctype(self, *_declared: Any) -> None:
        raise Malformed("a document type declaration is not accepted")

    def _resolve(self, name: str) -> tuple[str, str]:
        prefix, colon, local = name.rpartition(":")
        found = self._prefixes.get(prefix if colon else None)
        if found:
            return found[-1], local
        if colon:
            raise Malformed(f"prefix {prefix!r} is not declared")
        return "", local


def parse(body: bytes) -> Node:
    """Read a document.

    :raises Malformed: it is not well-formed, or has a document type declaration
    """
    builder = _Builder()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartNamespaceDeclHandler = builder.start_namespace
    parser.EndNamespaceDeclHandler = builder.end_namespace
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = builder.doctype
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise Malformed(str(error)) from error
    if builder.root is None:
        raise Malformed("no element found")
    return builder.root
