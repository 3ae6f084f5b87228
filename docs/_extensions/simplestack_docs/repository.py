"""The repository around the site: links to its files, and pages that show them.

Pages are read in the repository, too, so they link to files as they lie there: ``../SECURITY.md``. Here such
a link leads to the page that includes the file, or to the section that shows it.
"""

import os
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxDirective

#: What Pygments calls the files that are shown.
_LANGUAGES = {".py": "python", ".toml": "toml", ".md": "markdown"}


class RepositoryFiles(SphinxDirective):
    """``repository-files FOLDER``: every file of a folder of the repository that says something."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Show each file below its name."""
        folder = Path(self.env.srcdir).parent / self.arguments[0]
        files = [path for path in sorted(folder.rglob("*")) if path.suffix in _LANGUAGES and _is_kept(path)]
        if not files:
            raise self.error(f"{folder} has no files to show")
        return [node for path in files for node in self._shown(path, folder)]

    def _shown(self, path: Path, folder: Path) -> list[nodes.Node]:
        self.env.note_dependency(str(path))
        name = path.relative_to(folder).as_posix()
        title = nodes.paragraph("", "", nodes.literal(name, name))
        code = nodes.literal_block(path.read_text(), path.read_text(), language=_LANGUAGES[path.suffix])
        return [title, code] if code.rawsource else []


def _is_kept(path: Path) -> bool:
    return not any(part == "build" or part.endswith(".egg-info") for part in path.parts)


class RepositoryLinks(SphinxTransform):
    """Turns links to files of the repository into links to the pages that have them.

    What no page has is left alone: Sphinx warns of it.
    """

    default_priority = 5

    def apply(self, **_options: object) -> None:
        """Look at each link of a Markdown page."""
        for node in self.document.findall(addnodes.pending_xref):
            place = self._place(node) if node["reftype"] == "myst" else None
            if place is not None:
                node["refdomain"] = "doc"
                node["reftarget"], node["reftargetid"] = place

    def _place(self, node: nodes.Element) -> tuple[str, str | None] | None:
        """Return the page, and the section of it, that a link means."""
        docs = Path(self.env.srcdir)
        target, _, section = node["reftarget"].partition("#")
        if node["refdomain"] == "doc":
            if target in self.env.found_docs:
                return None
            path, section = docs / f"{target}.md", node["reftargetid"]
        else:
            path = self._written_in() / target
        file = Path(os.path.relpath(path, docs.parent)).as_posix()
        if path.is_relative_to(docs) and self.env.path2doc(path) in self.env.found_docs:
            return str(self.env.path2doc(path)), section or None
        if file in self.config.repository_pages:
            return self.config.repository_pages[file], section or None
        for folder, page in self.config.repository_folders.items():
            if file.startswith(f"{folder}/"):
                return page, file.removeprefix(f"{folder}/")
        return None

    def _written_in(self) -> Path:
        """Return the folder that links of this page are relative to: that of the file which it includes."""
        docs = Path(self.env.srcdir)
        included = {page: docs.parent / file for file, page in self.config.repository_pages.items()}
        return included[self.env.docname].parent if self.env.docname in included else docs


def setup(app: Sphinx) -> None:
    """Register what is in this module."""
    app.add_config_value("repository_pages", {}, "env", [dict])
    app.add_config_value("repository_folders", {}, "env", [dict])
    app.add_directive("repository-files", RepositoryFiles)
    app.add_transform(RepositoryLinks)
