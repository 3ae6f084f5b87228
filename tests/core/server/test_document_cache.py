"""The OpenAPI document is kept for each root path that a proxy names, and for no more than a few."""

from typing import Any

import falcon
import falcon.testing
import pytest

from simplestack.server.authentication import ServiceTokens
from simplestack.server.documents import Content, OpenApiPage


def test_documents_are_kept_for_a_limited_number_of_root_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    dispatcher: Any = None  # for documents of one hypervisor alone
    page = OpenApiPage(dispatcher, ServiceTokens({}))
    made: list[str] = []

    def make(_name: str | None, base_url: str) -> Content:
        made.append(base_url)
        return Content(b"{}")

    monkeypatch.setattr(page, "_make", make)
    app: falcon.App[Any, Any] = falcon.App()
    app.add_route("/openapi.json", page)
    client = falcon.testing.TestClient(app)
    for number in range(200):
        assert client.simulate_get("/openapi.json", root_path=f"/{number // 2}").text == "{}"
    assert made == [f"/{number}" for number in range(100)], "each is made once"
    assert len(page._made) <= 64
