"""What this site has that Sphinx does not: pages out of the sources, and links to the repository's files."""

from typing import Any

from sphinx.application import Sphinx

from simplestack_docs import python, repository, rest_reference, rest_tables, settings


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx what there is."""
    for module in (python, repository, rest_reference, rest_tables, settings):
        module.setup(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
