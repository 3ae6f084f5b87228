"""Sections with anchors that stay: ``#guest_create``, where docutils alone would make ``#guest-create``."""

from collections.abc import Iterable, Sequence

from docutils import nodes
from sphinx.util.docutils import SphinxDirective


def section(
    directive: SphinxDirective, anchors: Sequence[str], title: nodes.Node, content: Iterable[nodes.Node]
) -> nodes.section:
    """Return a section that pages link to as ``rest.md#guest_create``.

    :param title: a Text or a literal
    """
    for anchor in anchors:
        note_anchor(directive, anchor, title.astext())
    return nodes.section("", nodes.title("", "", title), *content, ids=list(anchors))


def note_anchor(directive: SphinxDirective, anchor: str, title: str) -> None:
    """Let Markdown links of other pages find an anchor."""
    domain = directive.env.domains.standard_domain
    domain.note_hyperlink_target(anchor, directive.env.docname, anchor, title)
