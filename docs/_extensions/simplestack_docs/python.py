"""Directives for the hook reference and the public names.

``hook-modules`` has a section for each module of hookspecs, ``error-tree`` shows the class hierarchy of
errors, ``error-classes`` documents each error. Hooks also show which hypervisors implement them, structs
their fields.
"""

import ast
import dataclasses
import inspect
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from msgspec import Struct
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective

import simplestack
from simplestack import HypervisorPlugin, ServicePlugin, SimplestackError
from simplestack.docstrings import markdown, read_docstring
from simplestack.hookspecs import SPEC_MODULES
from simplestack.operations.statuses import status_of
from simplestack.operations.table import OPERATIONS
from simplestack.server.openapi.operations import SPECS
from simplestack.server.openapi.schemas import Schemas
from simplestack_docs.installed import hypervisors
from simplestack_docs.prose import Cell, inline, table
from simplestack_docs.schemas import fields_table
from simplestack_docs.sections import section

#: The descriptions of plugins.
_DESCRIPTIONS = (HypervisorPlugin, ServicePlugin)


class HookModules(SphinxDirective):
    """``hook-modules``: every hookspec, by entity."""

    def run(self) -> list[nodes.Node]:
        """Return a section for each module of hookspecs."""
        found: list[nodes.Node] = []
        for module in SPEC_MODULES:
            self.env.note_dependency(str(module.__file__))
            name = module.__name__.rpartition(".")[2]
            content = self.parse_text_to_nodes(f".. automodule:: {module.__name__}\n   :members:\n")
            found.append(section(self, [f"{name}-hooks"], nodes.Text(name.title()), content))
        return found


class HookFacts(SphinxDirective):
    """``hook-facts NAME``: which operations call a hook, and which hypervisors implement it."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return one paragraph."""
        hook = self.arguments[0]
        names = [row.name for row in OPERATIONS if hook in row.hooks]
        calls = ", ".join(f":ref:`{name} <{name}>`" for name in names)
        having = ", ".join(found.name for found in hypervisors() if found.implements(hook))
        text = f"Called for: {calls}. Implemented by: {having or 'no installed hypervisor'}."
        return self.parse_text_to_nodes(text)


class StructFields(SphinxDirective):
    """``struct-fields NAME``: the fields of a public struct."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return a table."""
        struct = getattr(simplestack, self.arguments[0])
        is_body = struct.__struct_config__.forbid_unknown_fields
        schemas = Schemas(bodies=[struct] if is_body else [], results=[] if is_body else [struct])
        return [fields_table(schemas.components[struct.__name__], is_body=is_body, link=_link)]


def _link(name: str) -> nodes.Node | None:
    if name not in simplestack.__all__:
        return None
    options = {"refdomain": "py", "reftype": "obj", "reftarget": f"simplestack.{name}", "refexplicit": True}
    return addnodes.pending_xref("", nodes.literal(name, name), **options)


class PluginFields(SphinxDirective):
    """``plugin-fields NAME``: the fields of a plugin's description."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return a table, in the order of the source."""
        name = self.arguments[0]
        description = getattr(simplestack, name)
        comments = ModuleAnalyzer.for_module(description.__module__).attr_docs
        (source,) = ast.parse(inspect.getsource(description)).body
        kinds = {
            statement.target.id: ast.unparse(statement.annotation)
            for statement in ast.walk(source)
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
        }
        rows: list[list[Cell]] = []
        for field in dataclasses.fields(description):
            meaning = markdown("\n".join(comments[name, field.name]))
            label = [nodes.literal(field.name, field.name)]
            rows.append([label, f"`{kinds[field.name]}`", _default(field), inline(meaning, _link)])
        return [table(("field", "type", "default", "meaning"), rows)]


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is dataclasses.MISSING:
        return "required"
    if isinstance(field.default, type):
        return f"`{field.default.__name__}`"
    return "" if callable(field.default) or field.default is None else f"`{field.default!r}`"


class ErrorTree(SphinxDirective):
    """``error-tree``: each public error below its base class, with its status."""

    def run(self) -> list[nodes.Node]:
        """Return a nested list."""
        return [nodes.bullet_list("", self._branch(SimplestackError))]

    def _branch(self, error: type[SimplestackError]) -> nodes.list_item:
        summary = read_docstring(error).summary
        text = nodes.paragraph("", "", *self._parts(error), nodes.Text(f": {summary}"))
        below = [self._branch(kind) for kind in error.__subclasses__()]
        return nodes.list_item("", text, *([nodes.bullet_list("", *below)] if below else []))

    def _parts(self, error: type[SimplestackError]) -> Iterator[nodes.Node]:
        yield _link(error.__name__) or nodes.literal(error.__name__, error.__name__)
        yield nodes.Text(f" ({status_of(error)})")


class ErrorClasses(SphinxDirective):
    """``error-classes``: the documentation of each error."""

    def run(self) -> list[nodes.Node]:
        """Return the documentation by autodoc."""
        names = [error.__name__ for error in _tree(SimplestackError)]
        return self.parse_text_to_nodes(
            "".join(f".. autoclass:: simplestack.{name}\n   :members:\n\n" for name in names)
        )


def _tree(error: type[SimplestackError]) -> Iterator[type[SimplestackError]]:
    yield error
    for below in error.__subclasses__():
        yield from _tree(below)


def _complete(_app: Sphinx, _what: str, name: str, item: Any, _options: object, lines: list[str]) -> None:
    """Add tables and lists of implementations to docstrings."""
    short = name.rpartition(".")[2]
    if short in SPECS and SPECS[short] is item:
        lines += ["", f".. hook-facts:: {short}", ""]
    elif isinstance(item, type) and issubclass(item, Struct):
        lines += ["", f".. struct-fields:: {short}", ""]
    elif item in _DESCRIPTIONS:
        lines += ["", f".. plugin-fields:: {short}", ""]


def _sign(
    _app: Sphinx, _what: str, _name: str, item: Any, _options: object, signature: str, returns: str
) -> tuple[str, str] | None:
    """Remove the signature of classes that have a table of their fields."""
    has_table = isinstance(item, type) and issubclass(item, (Struct, *_DESCRIPTIONS))
    return ("", "") if has_table else (signature, returns)


def setup(app: Sphinx) -> None:
    """Register the directives and the additions."""
    app.setup_extension("sphinx.ext.autodoc")
    app.add_directive("hook-modules", HookModules)
    app.add_directive("hook-facts", HookFacts)
    app.add_directive("struct-fields", StructFields)
    app.add_directive("plugin-fields", PluginFields)
    app.add_directive("error-tree", ErrorTree)
    app.add_directive("error-classes", ErrorClasses)
    app.connect("autodoc-process-docstring", _complete)
    app.connect("autodoc-process-signature", _sign)
