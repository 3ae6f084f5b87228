"""How Sphinx builds this site: `nox -s docs`. Nothing is fetched from anywhere while it does."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "Simplestack"
author = "the Simplestack contributors"
version = release = version_of("simplestack-core")

extensions = ["myst_parser", "sphinx_click", "simplestack_docs"]
nitpicky = True
autodoc_member_order = "bysource"
#: What is not ours has no page here.
nitpick_ignore_regex = [
    ("py:.*", r"(collections\.abc|http\.client|pathlib|types|ipaddress|xml\.etree)\..*"),
    ("py:class", r"simplestack\..*\.[ST]"),  # type variables
]
exclude_patterns = ["_build", "_extensions"]
#: Headings of Markdown pages get anchors down to this level.
myst_heading_anchors = 4
#: Quotes and ellipses alone: two hyphens begin an option.
smartquotes_action = "qe"
myst_enable_extensions = ["colon_fence"]
#: Files of the repository that a page of this site includes as a whole: links to them lead to the page.
repository_pages = {
    "CHANGELOG.md": "changelogs",
    "CONTRIBUTING.md": "contributing",
    "README.md": "start",
    "SECURITY.md": "security",
    "simplestack-core/CHANGELOG.md": "changelogs",
    "simplestack-kvm/CHANGELOG.md": "changelogs",
    "simplestack-kvm/README.md": "kvm",
    "simplestack-vmware/CHANGELOG.md": "changelogs",
    "simplestack-vmware/README.md": "vmware",
    "simplestack-xen/CHANGELOG.md": "changelogs",
    "simplestack-xen/README.md": "xen",
}
#: Folders of the repository whose folders a page of this site shows, in a section each.
repository_folders = {"examples": "examples"}

html_theme = "furo"
html_title = f"Simplestack {release}"
html_static_path = ["_static"]
html_css_files = ["simplestack.css"]
html_copy_source = False
html_show_copyright = False
