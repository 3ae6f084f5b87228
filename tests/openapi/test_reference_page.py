"""The interactive reference: everything that it loads comes from the service."""

import re
from pathlib import Path

from support.service import Service, running_service


def test_the_page_and_all_that_it_loads_come_from_the_service(service: Service) -> None:
    page = service.get("/docs", headers={"X-Simplestack-Hypervisor-Token": None})
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    text = page.body.decode()
    loaded = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert len(loaded) == 5
    assert not [place for place in loaded if place.startswith(("/", "http"))]
    assert {place: service.get(f"/{place}").status for place in loaded} == dict.fromkeys(loaded, 200)
    assert "<script>" not in text


def test_browsers_are_told_to_load_nothing_from_elsewhere(service: Service) -> None:
    for path in ("/docs", "/docs/swagger-ui-bundle.js"):
        headers = service.get(path).headers
        assert "default-src 'none'; script-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_no_other_file_can_be_had_through_the_page(service: Service) -> None:
    for name in ("index.html", "..%2Fflask_swagger_ui.py", "..%2f..%2fetc%2fpasswd", "swagger-ui.js"):
        assert service.get(f"/docs/{name}").error == "RouteNotFound"


def test_without_the_extra_the_page_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "hidden").mkdir()
    # A finder that hides the package, as an environment without the extra would.
    (tmp_path / "hidden" / "sitecustomize.py").write_text(
        "import sys\nsys.modules['flask_swagger_ui'] = None\n"
    )
    with running_service(tmp_path / "service", plugins=tmp_path / "hidden") as service:
        answer = service.get("/docs")
    assert (answer.status, answer.error) == (501, "NotImplementedError")
    assert "pip install 'simplestack-core[docs]'" in answer.json["message"]
