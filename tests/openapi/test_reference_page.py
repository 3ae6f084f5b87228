"""The interactive reference: everything that it loads comes from the service."""

import gzip
import re
import shutil
from importlib.resources import files
from pathlib import Path

from support.npm import installed_packages
from support.service import Service

_LOCK = Path(__file__).parent / "swagger_ui"


def test_the_page_and_all_that_it_loads_come_from_the_service(service: Service) -> None:
    page = service.get("/docs", headers={"X-Simplestack-Hypervisor-Token": None})
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    text = page.body.decode()
    loaded = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert len(loaded) == 6
    assert not [place for place in loaded if place.startswith(("/", "http"))]
    assert {place: service.get(f"/{place}").status for place in loaded} == dict.fromkeys(loaded, 200)
    assert not re.search(r"<script(?! src=)|<style| style=| on[a-z]+=", text)


def test_browsers_are_told_to_load_nothing_from_elsewhere(service: Service) -> None:
    for path in ("/docs", "/docs/swagger-ui-bundle.js"):
        headers = service.get(path).headers
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_no_other_file_can_be_had_through_the_page(service: Service) -> None:
    for name in ("reference.html", "LICENSE", "swagger-ui", "..%2Fdocuments.py", "..%2f..%2fetc%2fpasswd"):
        assert service.get(f"/docs/{name}").error == "RouteNotFound"


def test_a_slash_at_the_end_leads_to_the_page_whose_links_work(service: Service) -> None:
    moved = service.get("/docs/?hypervisor=mock")
    assert (moved.status, moved.headers["location"]) == (308, "../docs?hypervisor=mock")
    assert moved.headers["x-request-id"]
    assert service.get("/docs/").headers["location"] == "../docs"


def test_files_are_compressed_for_clients_that_can_read_it(service: Service) -> None:
    path = "/docs/swagger-ui-bundle.js"
    plain = service.get(path)
    packed = service.get(path, headers={"Accept-Encoding": "br, gzip"})
    assert (plain.headers.get("content-encoding"), packed.headers["content-encoding"]) == (None, "gzip")
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body) / 3
    assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"


def test_a_browser_that_has_a_file_is_not_sent_it_again(service: Service) -> None:
    path = "/docs/swagger-ui.css"
    first = service.get(path)
    again = service.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    packed = service.get(path, headers={"If-None-Match": first.headers["etag"], "Accept-Encoding": "gzip"})
    assert packed.status == 200


def test_the_files_of_swagger_ui_are_those_of_its_release(tmp_path: Path) -> None:
    """The lock file has the version and the checksum. CONTRIBUTING.md says how to update."""
    for file in _LOCK.iterdir():
        shutil.copy(file, tmp_path)
    released = installed_packages(tmp_path) / "swagger-ui-dist"
    copies = {
        file.name: file.read_bytes()
        for file in (files("simplestack.server") / "reference" / "swagger-ui").iterdir()
    }
    assert copies == {name: (released / name).read_bytes() for name in copies}
    assert {"NOTICE", "swagger-ui-bundle.js.LICENSE.txt"} < copies.keys()
    licence = Path(__file__).parents[2] / "LICENSE"
    assert (released / "LICENSE").read_bytes() == licence.read_bytes()
