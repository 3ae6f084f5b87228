"""Texts of the sources as nodes of a page, in whichever markup the page is written.

The sources' texts reach this site as :mod:`simplestack.docstrings` gives them: paragraphs, lists of ``- ``
lines, and code in backticks. That is little enough to need no parser.
"""

import re
from collections.abc import Callable, Iterable, Sequence

from docutils import nodes

#: Makes the node for a code span; None where it is plain code.
Link = Callable[[str], nodes.Node | None]
#: A cell of a table: a text, or nodes made of one.
Cell = str | Sequence[nodes.Node]

_CODE = re.compile(r"`([^`]+)`")


def no_link(_code: str) -> nodes.Node | None:
    """Leave code spans as they are."""
    return None


def inline(text: str, link: Link = no_link) -> list[nodes.Node]:
    """Return a text with its code spans."""
    found: list[nodes.Node] = []
    for position, part in enumerate(_CODE.split(text)):
        if position % 2:
            found.append(link(part) or nodes.literal(part, part))
        elif part:
            found.append(nodes.Text(part))
    return found


def paragraphs(text: str, link: Link = no_link) -> list[nodes.Node]:
    """Return the paragraphs and lists of a text."""
    found: list[nodes.Node] = []
    for block in text.split("\n\n"):
        lines = block.strip().splitlines()
        if lines and all(line.startswith("- ") for line in lines):
            items = [nodes.list_item("", paragraph(line.removeprefix("- "), link)) for line in lines]
            found.append(nodes.bullet_list("", *items, bullet="-"))
        elif lines:
            found.append(paragraph(" ".join(lines), link))
    return found


def paragraph(text: str, link: Link = no_link) -> nodes.paragraph:
    """Return one paragraph."""
    return nodes.paragraph("", "", *inline(text, link))


def table(heads: Sequence[str], rows: Iterable[Sequence[Cell]], widths: Sequence[int] = ()) -> nodes.table:
    """Return a table with a head.

    :param widths: the columns' shares of the width; the browser decides without
    """
    group = nodes.tgroup(cols=len(heads))
    group += [nodes.colspec(colwidth=width) for width in (widths or [1] * len(heads))]
    group += nodes.thead("", _row(heads))
    group += nodes.tbody("", *(_row(cells) for cells in rows))
    classes = ["colwidths-given"] if widths else ["colwidths-auto"]
    return nodes.table("", group, classes=classes)


def _row(cells: Sequence[Cell]) -> nodes.row:
    entries = []
    for cell in cells:
        content = inline(cell) if isinstance(cell, str) else list(cell)
        entries.append(nodes.entry("", nodes.paragraph("", "", *content)))
    return nodes.row("", *entries)


def code(text: str, language: str) -> nodes.literal_block:
    """Return a block of code."""
    return nodes.literal_block(text, text, language=language)
