"""The overview tables of the REST reference.

``rest-operations`` is a table of all operations, ``rest-entities`` has a section for each type of bodies and
responses, ``rest-errors`` is a table of all errors.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from simplestack.docstrings import read_docstring
from simplestack.errors import SimplestackError
from simplestack.operations.model import Operation
from simplestack.operations.statuses import status_of
from simplestack.operations.table import OPERATIONS
from simplestack.server.openapi.operations import SPECS
from simplestack.server.problems import HTTP_ERRORS, http_problem
from simplestack_docs.installed import hypervisors
from simplestack_docs.prose import Cell, inline, paragraph, paragraphs, table
from simplestack_docs.rest import document, link
from simplestack_docs.schemas import fields_table, kind
from simplestack_docs.sections import section


class OperationsTable(SphinxDirective):
    """``rest-operations``: all operations, and the hypervisors that support them."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        return [table(("operation", "what it does", "hypervisors"), map(self._row, OPERATIONS))]

    def _row(self, row: Operation) -> list[Cell]:
        summary = row.summary or read_docstring(SPECS[row.hooks[0]]).summary
        having = ", ".join(found.name for found in hypervisors() if row.name in found.operations)
        # A path as long as these, in a column of its own, would leave no room for words.
        call = nodes.inline("", f"{row.method} {row.path}", classes=["simplestack-path"])
        first_sentence = summary.partition(". ")[0].rstrip(".")
        return [[_linked(row.name), nodes.Text(" "), call], inline(f"{first_sentence}.", link), having]


def _linked(name: str) -> nodes.Node:
    found = link(name)
    if found is None:
        raise ValueError(f"the REST reference has no {name}")
    return found


class Entities(SphinxDirective):
    """``rest-entities``: a section for each type of the document."""

    def run(self) -> list[nodes.Node]:
        """Return the sections, sorted by name."""
        schemas = document()["components"]["schemas"]
        return [
            self._entity(name, schema)
            for name, schema in sorted(schemas.items())
            if not (name.endswith("Fields") and name.removesuffix("Fields") in schemas)
        ]

    def _entity(self, name: str, schema: Mapping[str, Any]) -> nodes.section:
        content = paragraphs(schema["description"], link)
        if "properties" in schema:
            is_body = schema.get("additionalProperties") is False
            content.append(fields_table(schema, is_body=is_body, link=link))
        else:
            content.append(paragraph(f"{kind(schema)}."))
        return section(self, [name], nodes.literal(name, name), content)


class Errors(SphinxDirective):
    """``rest-errors``: every error that a client can get."""

    def run(self) -> list[nodes.Node]:
        """Return the table, sorted by status."""
        meanings = {
            (status_of(error), error.name): read_docstring(error).summary
            for error in _tree(SimplestackError)
            # One that shares its name with the class above it is the same error to clients.
            if error.name != vars(error.__mro__[1]).get("name")
        }
        for status, (name, when) in {500: http_problem(500), **HTTP_ERRORS}.items():
            meaning = f"{when[0].upper()}{when[1:]}."
            # The HTTP layers use some names of the error classes, whose docstring covers both uses.
            if status == 500 or (status, name) not in meanings:
                meanings[status, name] = meaning
        rows = []
        named: set[str] = set()
        for (status, name), when in sorted(meanings.items()):
            anchor = {"ids": [f"error-{name}"]} if name not in named else {}
            named.add(name)
            rows.append(([nodes.Text(str(status))], [nodes.literal(name, name, **anchor)], inline(when)))
        return [table(("status", "error", "when"), rows)]


def _tree(error: type[SimplestackError]) -> Iterator[type[SimplestackError]]:
    yield error
    for below in error.__subclasses__():
        yield from _tree(below)


def setup(app: Sphinx) -> None:
    """Register the directives."""
    app.add_directive("rest-operations", OperationsTable)
    app.add_directive("rest-entities", Entities)
    app.add_directive("rest-errors", Errors)
