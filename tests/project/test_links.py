"""Links and names of pages lead somewhere."""

import re
from pathlib import Path

import pytest

from project.repository import ROOT, project_files

LINK = re.compile(r"\]\((?!https?://)(?P<target>[^)#\s]*)(#[^)\s]*)?\)")
PAGE_NAME = re.compile(r"[\w-]+\.md\b")

PAGES = list(project_files(".md"))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_of_a_page_leads_to_a_file_of_the_repository(page: Path) -> None:
    targets = [match["target"] for match in LINK.finditer(page.read_text()) if match["target"]]
    missing = [target for target in targets if not (page.parent / target).resolve().exists()]
    outside = [target for target in targets if not (page.parent / target).resolve().is_relative_to(ROOT)]
    assert (missing, outside) == ([], [])


def test_every_page_that_a_file_names_is_there() -> None:
    known = {page.name for page in PAGES}
    strays = [
        f"{named(path)}: {name}"
        for path in project_files(".py", ".md", ".toml", ".txt", ".sh")
        for name in PAGE_NAME.findall(path.read_text())
        if name not in known
    ]
    assert strays == []
