"""No message and no page tells users to install Simplestack's distributions from a package index."""

import re

from project.repository import ROOT, project_files

#: ``pip install``, and the name of a distribution of ours, or one that the program fills in.
#: ``./simplestack-core`` is a folder of a clone.
FROM_INDEX = re.compile(
    r"pip install(?: -[\w-]+)*(?: ['\"]?\./[^\s`'\"]+['\"]?)* ['\"]?(?:simplestack[-_]|\{)"
)
#: The wheels that were built before.
FROM_WHEELS = "pip install --no-index "


def test_no_message_and_no_page_has_a_name_that_no_index_has() -> None:
    lines = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in project_files(".py", ".md", ".rst", ".toml", ".txt", "Containerfile")
        for line in path.read_text().splitlines()
        if FROM_INDEX.search(line) and FROM_WHEELS not in line
    ]
    assert [line for line in lines if not line.startswith("tests/")] == []
