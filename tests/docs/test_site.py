"""The documentation site: it has everything, stands on its own, and its links lead somewhere."""

import json
import re
from pathlib import Path
from urllib.parse import unquote, urldefrag

import msgspec
import pytest
from msgspec import UNSET

import simplestack
from project.repository import ROOT
from simplestack import SimplestackError, appliances, errors
from simplestack.cli.main import main
from simplestack.config.settings import ServerSettings
from simplestack.operations.table import HOOKS, OPERATIONS
from simplestack.plugins.discovery import load_hypervisors
from simplestack.server.openapi.examples import read_examples
from simplestack.server.problems import HTTP_ERRORS
from simplestack_docs.rest import document

from .pages import Page, pages

#: What Sphinx makes without a page of ours.
MADE_PAGES = {"genindex.html", "search.html", "py-modindex.html"}
OFF_SITE = re.compile(r"\A(https?:)?//")


@pytest.fixture(scope="session")
def folder() -> Path:
    """The folder of the site that `nox -s docs` built."""
    return ROOT / "docs/_build/html"


@pytest.fixture(scope="session")
def site(folder: Path) -> dict[str, Page]:
    return dict(pages(folder))


def test_every_page_of_the_repository_is_in_the_site(site: dict[str, Page]) -> None:
    written = {
        path.with_suffix(".html").name for path in (ROOT / "docs").iterdir() if path.suffix in {".md", ".rst"}
    }
    assert written == set(site) - MADE_PAGES


def test_options_in_the_text_of_the_command_line_have_both_hyphens(site: dict[str, Page]) -> None:
    text = " ".join(site["cli.html"].text.split())
    assert "for example: -- -k disks -x" in text
    assert "SIMPLESTACK_KIT_PASSWORD or --password-file" in text


def test_every_operation_has_a_section(site: dict[str, Page]) -> None:
    assert {operation.name for operation in OPERATIONS} - site["rest.html"].anchors == set()


def test_every_member_of_a_body_and_of_an_answer_is_told(site: dict[str, Page]) -> None:
    schemas = document()["components"]["schemas"].values()
    members = {member for schema in schemas for member in schema.get("properties", ())}
    assert members - set(re.findall(r"\w+", site["rest.html"].text)) == set()


def test_every_member_of_a_body_and_of_an_answer_has_a_meaning() -> None:
    schemas = document()["components"]["schemas"].items()
    silent = [
        f"{name}.{member}"
        for name, schema in schemas
        for member, its in schema.get("properties", {}).items()
        if not its.get("description")
    ]
    assert silent == []


def test_every_example_is_shown(site: dict[str, Page]) -> None:
    answers = [json.loads(block) for block in site["rest.html"].code if block.lstrip().startswith(("{", "["))]
    installed, _ = load_hypervisors(None)
    assert installed
    for found in installed:
        examples = read_examples(found)
        assert examples
        missing = [
            name
            for name, its in examples.items()
            if its.response is not UNSET and its.response not in answers
        ]
        assert missing == []


def test_every_hook_is_told(site: dict[str, Page]) -> None:
    told = {anchor.rpartition(".")[2] for anchor in site["hooks.html"].anchors}
    assert {*HOOKS, "operation_call"} - told == set()


def test_every_public_name_is_told(site: dict[str, Page]) -> None:
    names = {f"simplestack.{name}" for name in simplestack.__all__}
    names |= {f"simplestack.appliances.{name}" for name in appliances.__all__}
    assert names - site["python.html"].anchors == set()


def test_every_error_that_clients_get_is_told(site: dict[str, Page]) -> None:
    kinds = [getattr(errors, name) for name in dir(errors)]
    names = {kind.name for kind in kinds if isinstance(kind, type) and issubclass(kind, SimplestackError)}
    names |= {name for name, _ in HTTP_ERRORS.values()}
    assert {f"error-{name}" for name in names} - site["rest.html"].anchors == set()


def test_every_setting_of_the_service_and_of_each_hypervisor_is_told(site: dict[str, Page]) -> None:
    installed, _ = load_hypervisors(None)
    told = {anchor.rpartition(".")[2] for anchor in site["settings.html"].anchors if "Settings." in anchor}
    kinds: list[type[msgspec.Struct]] = [ServerSettings, *(found.plugin.settings for found in installed)]
    for kind in kinds:
        assert set(kind.__struct_fields__) - told == set()


def test_every_command_is_told(site: dict[str, Page]) -> None:
    assert {f"simplestack-{name}" for name in main.commands} - site["cli.html"].anchors == set()


def test_nothing_is_loaded_from_another_site(site: dict[str, Page], folder: Path) -> None:
    loaded = [(name, asset) for name, page in site.items() for asset in page.assets]
    assert loaded
    assert [(name, asset) for name, asset in loaded if OFF_SITE.match(asset)] == []
    styles = [
        path
        for path in folder.rglob("*.css")
        if re.search(r"(@import|url\()\s*['\"]?(https?:)?//", path.read_text())
    ]
    assert styles == []


def test_every_asset_of_a_page_is_there(site: dict[str, Page], folder: Path) -> None:
    missing = [
        (name, asset)
        for name, page in site.items()
        for asset in page.assets
        if not asset.startswith("data:")
        and not (folder / name).parent.joinpath(asset.partition("?")[0]).is_file()
    ]
    assert missing == []


def test_every_link_within_the_site_leads_to_an_anchor_that_is_there(
    site: dict[str, Page], folder: Path
) -> None:
    broken = []
    for name, page in site.items():
        for link in page.links:
            if re.match(r"\A([a-z]+:|//)", link):
                continue
            path, anchor = urldefrag(link)
            target = unquote(path) or name
            if target not in site:
                broken += [] if (folder / target).is_file() else [(name, link)]
            elif anchor and unquote(anchor) not in site[target].anchors:
                broken.append((name, link))
    assert broken == []


def test_the_site_can_be_searched(folder: Path) -> None:
    index = (folder / "searchindex.js").read_text()
    assert re.search(r"\bscrypt\b", index)
