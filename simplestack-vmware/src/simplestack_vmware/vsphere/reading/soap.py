"""Read records from ``RetrievePropertiesEx`` in SOAP, while the response arrives.

pyvmomi takes ten times as long, and fails as a whole at a type that it does not know. Here, expat calls
Python only for what the records want: a plan says which elements these are, and the rest is skipped.
"""

import http.client
from collections.abc import Mapping
from typing import Any, NoReturn
from xml.parsers import expat

from simplestack import HypervisorError
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.reading.pages import Page
from simplestack_vmware.vsphere.reading.queries import Query
from simplestack_vmware.vsphere.reading.schemas import Branch, Items, Leaf, Plan, RefLeaf, Schema

_PIECE_BYTES = 128 * 1024


def read_page(response: http.client.HTTPResponse, query: Query) -> Page:
    """Return the records in a response with status 200.

    :raises HypervisorError: the response is not XML
    """
    reader = _Reader(query)
    try:
        while piece := response.read(_PIECE_BYTES):
            reader.parser.Parse(piece, False)
        reader.parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise HypervisorError(f"vSphere returned invalid XML: {error}") from None
    return reader.page


def _type_of(attributes: Mapping[str, str]) -> str:
    """Return an element's ``xsi:type`` without its prefix. Hosts differ in the attribute's own prefix."""
    found = attributes.get("xsi:type")
    if found is None:
        found = next((value for name, value in attributes.items() if name.endswith(":type")), "")
    return found.rpartition(":")[2]


class _Reader:
    """Handlers for expat, which change with the place in the document."""

    def __init__(self, query: Query) -> None:
        self.page = Page()
        self._query = query
        self._texts: list[str] = []
        #: Depth within an element that is skipped.
        self._skipped = 0
        # of the current object
        self._ref = Ref("", "")
        self._schema: Schema[Any] | None = None
        self._values: dict[str, Any] = {}
        self._missing: dict[str, str] = {}
        self._path = ""
        # of the current value: the plans and the contents of the elements that are open within it
        self._open: list[tuple[Plan, Any]] = []
        self._leaf: Leaf | RefLeaf | None = None
        self._ref_type = ""
        parser = self.parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _reject_doctype
        self._watch_envelope()

    # the envelope: tokens and objects

    def _watch_envelope(self) -> None:
        self.parser.StartElementHandler = self._start_in_envelope
        self.parser.EndElementHandler = None

    def _start_in_envelope(self, name: str, _attributes: Mapping[str, str]) -> None:
        if name == "objects":
            self._values, self._missing = {}, {}
            self.parser.StartElementHandler = self._start_in_object
            self.parser.EndElementHandler = self._end_in_object
        elif name == "token":
            self._collect()
            self.parser.EndElementHandler = self._end_of_token

    def _end_of_token(self, _name: str) -> None:
        self.page.token = self._text()
        self._watch_envelope()

    # an object: its reference, its properties, those that it lacks

    def _start_in_object(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "val":
            self._start_value(attributes)
        elif name in ("name", "path"):
            self._collect()
        elif name == "obj":
            self._ref = Ref(attributes.get("type", ""), "")
            self._collect()
        elif name == "fault":
            # Twice: the localized fault, and the fault itself, which has the type.
            self._missing[self._path] = _type_of(attributes)

    def _end_in_object(self, name: str) -> None:
        if name in ("name", "path"):
            self._path = self._text()
        elif name == "obj":
            self._ref = Ref(self._ref.type, self._text())
            self._schema = self._query.schema_for(self._ref.type)
        elif name == "objects":
            if self._schema is not None:
                self.page.add_at_once(self._ref, self._schema, self._values, self._missing)
            self._watch_envelope()

    # a value: as its plan says

    def _start_value(self, attributes: Mapping[str, str]) -> None:
        found = None if self._schema is None else self._schema.properties.get(self._path)
        if found is None:
            self._skip()
            return
        self.parser.StartElementHandler = self._start_in_value
        self.parser.EndElementHandler = self._end_in_value
        self._enter(found.plan, attributes)

    def _enter(self, plan: Plan, attributes: Mapping[str, str]) -> None:
        """Begin an element that has a plan."""
        if isinstance(plan, Branch):
            self._open.append((plan, {"_typeName": _type_of(attributes)} if plan.wants_type else {}))
        elif isinstance(plan, Items):
            self._open.append((plan, []))
        else:
            self._leaf = plan
            self._ref_type = attributes.get("type", "")
            self._collect()

    def _start_in_value(self, name: str, attributes: Mapping[str, str]) -> None:
        if self._skipped or self._leaf is not None:  # an element within text is a type that nobody expects
            self._skipped += 1
            return
        plan, _ = self._open[-1]
        if isinstance(plan, Branch):
            child = plan.children.get(name)
            if child is None:
                self._skipped = 1
            else:
                self._enter(child.item if isinstance(child, Items) else child, attributes)
        elif isinstance(plan, Items):
            if plan.only and _type_of(attributes) not in plan.only:
                self._skip_item(name)
            else:
                self._enter(plan.item, attributes)

    def _end_in_value(self, name: str) -> None:
        if self._skipped:
            self._skipped -= 1
            return
        leaf = self._leaf
        value: Any
        if leaf is None:
            _, value = self._open.pop()
        else:
            self._leaf = None
            value = self._text()
            if isinstance(leaf, RefLeaf):
                value = {"type": self._ref_type, "value": value}
            elif not leaf.is_text:
                value = value.strip()
        if not self._open:
            self._values[self._path] = value
            self.parser.StartElementHandler = self._start_in_object
            self.parser.EndElementHandler = self._end_in_object
            return
        above, container = self._open[-1]
        if isinstance(above, Items):
            container.append(value)
        elif isinstance(above, Branch):
            if isinstance(above.children[name], Items):
                container.setdefault(name, []).append(value)
            else:
                container[name] = value

    # text, and what nobody wants

    def _collect(self) -> None:
        self._texts.clear()
        self.parser.CharacterDataHandler = self._texts.append

    def _text(self) -> str:
        self.parser.CharacterDataHandler = None
        return "".join(self._texts)

    def _skip(self) -> None:
        """Skip a value that has just begun: its elements, and nothing is kept at its end."""
        parser = self.parser

        def start(_name: str, _attributes: Mapping[str, str]) -> None:
            self._skipped += 1

        def end(_name: str) -> None:
            self._skipped -= 1
            if not self._skipped:
                parser.StartElementHandler = self._start_in_object
                parser.EndElementHandler = self._end_in_object

        self._skipped = 1
        parser.StartElementHandler, parser.EndElementHandler = start, end

    def _skip_item(self, name: str) -> None:
        """Skip an item of an array, which has no element of its own name in it: so only ends are watched."""
        parser = self.parser
        before = parser.StartElementHandler, parser.EndElementHandler

        def end(ended: str) -> None:
            if ended == name:
                parser.StartElementHandler, parser.EndElementHandler = before

        parser.StartElementHandler, parser.EndElementHandler = None, end


def _reject_doctype(*_declaration: Any) -> NoReturn:
    raise HypervisorError("vSphere returned XML with a document type, which is not accepted")
