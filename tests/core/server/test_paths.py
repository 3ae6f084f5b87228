"""Paths that HTTP clients and proxies would rewrite: none of them may come to stand for another thing."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from simplestack.identity.tokens import token_hash
from simplestack.operations.model import Operation
from simplestack.operations.table import OPERATIONS
from support.faults import RULES, settings
from support.service import Service, running_service

BASE = "/mock/paths"
DOTS = [".", "..", "%2e", "%2E", "%2e%2e", "%2E%2e", ".%2e", "%2E."]


@pytest.fixture
def guest(service: Service) -> Iterator[str]:
    answer = service.post(f"{BASE}/guests", {"name": "kept", "memory": 64, "disks": [{"size": 1}]})
    assert answer.status == 201, answer
    yield answer.json["id"]
    service.delete(f"{BASE}/guests/{answer.json['id']}")


@pytest.mark.parametrize("name", [".", ".."])
def test_a_tag_that_clients_would_resolve_in_its_path_is_400(service: Service, guest: str, name: str) -> None:
    answer = service.post(f"{BASE}/guests/{guest}/tags", {"name": name})
    assert (answer.status, answer.error) == (400, "InvalidArguments")
    assert answer.json["message"] == (
        f"`name` is the string {name!r}: send a string without control characters, other than `.` and `..` "
        "(1 to 255 characters)"
    )
    assert service.get(f"{BASE}/guests/{guest}/tags").json == []


@pytest.mark.parametrize("name", ["...", "..a", ".a", "a..", "a/.."])
def test_a_tag_may_have_dots_among_other_characters(service: Service, guest: str, name: str) -> None:
    made = service.post(f"{BASE}/guests/{guest}/tags", {"name": name})
    assert (made.status, made.json) == (201, [name])
    assert service.delete(made.headers["location"]).status == 204
    assert service.get(f"{BASE}/guests/{guest}/tags").json == []


def test_a_delete_of_the_tag_dot_dot_as_clients_shorten_it_leaves_the_guest(
    service: Service, guest: str
) -> None:
    # curl, urllib3 and browsers send this for `DELETE .../tags/..`.
    answer = service.delete(f"{BASE}/guests/{guest}/")
    assert (answer.status, answer.error) == (404, "RouteNotFound")
    assert f"did you mean DELETE {BASE}/guests/{guest}?" in answer.json["message"]
    assert service.get(f"{BASE}/guests/{guest}").status == 200


@pytest.mark.parametrize("segment", DOTS)
@pytest.mark.parametrize(
    "path", ["/{}", "/mock/{}", "/mock/{}/guests", "/docs/{}", "/{}/paths/guests", "/{}/guests"]
)
def test_a_segment_of_dots_is_400_as_a_host_and_on_every_page(
    service: Service, path: str, segment: str
) -> None:
    for slash in ("", "/"):
        answer = service.get(path.format(segment) + slash)
        assert (answer.status, answer.error) == (400, "InvalidArguments"), answer
        assert repr(segment) in answer.json["message"]


@pytest.mark.parametrize("row", [row for row in OPERATIONS if "{" in row.path], ids=lambda row: row.name)
def test_a_segment_of_dots_is_400_as_each_id_of_an_operation(service: Service, row: Operation) -> None:
    names = re.findall(r"{(\w+)}", row.path)
    for segment in DOTS:
        for name in names:
            path = row.path.format_map({**dict.fromkeys(names, "x"), name: segment})
            answer = service.request(row.method, BASE + path, {})
            assert (answer.status, answer.error) == (400, "InvalidArguments"), answer


@pytest.mark.parametrize("identity", ["...", "..a", ".a", "%2e%2e.", "..%2F..", "%252e%252e"])
def test_an_id_with_other_dots_is_just_an_unknown_one(service: Service, identity: str) -> None:
    assert service.get(f"{BASE}/guests/{identity}").error == "EntityNotFound"


@pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: row.name)
def test_a_slash_at_the_end_is_tolerated_on_get_and_head_alone(
    service: Service, guest: str, row: Operation
) -> None:
    names = re.findall(r"{(\w+)}", row.path)
    path = BASE + row.path.rstrip("/").format_map({**dict.fromkeys(names, "x"), "guest_id": guest})
    answer = service.request(row.method, f"{path}/", {} if row.method in ("POST", "PUT") else None)
    if row.method == "GET":
        assert answer.status == service.get(path).status
        assert answer.status == 200 or answer.error == "EntityNotFound"
        assert service.request("HEAD", f"{path}/").status == answer.status
    else:
        assert (answer.status, answer.error) == (404, "RouteNotFound")
        assert f"did you mean {row.method} {path}?" in answer.json["message"]
    assert service.get(f"{BASE}/guests/{guest}").json["name"] == "kept"


def test_an_empty_segment_is_404_and_never_taken_for_the_path_without_it(
    service: Service, guest: str
) -> None:
    for method, path in (
        ("GET", f"/{BASE}/guests"),
        ("GET", "/mock//guests"),
        ("GET", f"{BASE}//guests"),
        ("GET", f"{BASE}/guests//"),
        ("HEAD", f"{BASE}/guests//"),
        ("GET", f"{BASE}/guests//disks"),
        ("GET", "//"),
        ("DELETE", f"{BASE}/guests/{guest}//"),
        ("DELETE", f"{BASE}//guests/{guest}"),
        ("DELETE", f"/{BASE}/guests/{guest}"),
        ("POST", f"{BASE}/guests//snapshots"),
    ):
        answer = service.request(method, path)
        assert answer.status == 404, (method, path)
        if method != "HEAD":
            assert answer.error == "RouteNotFound"
            assert "empty segment" in answer.json["message"], (method, path)
    assert service.get(f"{BASE}/guests/{guest}").status == 200


def test_a_rejected_path_is_logged_as_the_client_wrote_it(service: Service) -> None:
    service.delete("/mock/a%0Ab/guests/", headers={"X-Request-Id": "path-1"})
    assert "request path-1 rejected: DELETE /mock/a%0Ab/guests/ 404 RouteNotFound" in service.log


def test_a_request_for_a_whole_url_is_held_to_the_same_rules(service: Service, guest: str) -> None:
    for method, path, status in (
        ("GET", f"{BASE}/guests/{guest}", 200),
        ("DELETE", f"{BASE}/guests/{guest}/", 404),
        ("GET", f"{BASE}/guests/..", 400),
    ):
        answer = service.request(method, f"http://service{path}")
        assert answer.status == status, answer
    assert service.get(f"{BASE}/guests/{guest}").status == 200


def test_the_rules_hold_behind_a_prefix_and_on_the_pages_of_a_service_plugin(tmp_path: Path) -> None:
    config = settings(tmp_path / "faults.sqlite3")
    with running_service(tmp_path / "service", config, prefix="/stack") as service:
        assert service.get("/stack/").json["name"] == "simplestack"
        made = service.post(f"/stack{RULES}", {"action": "delay", "delay_seconds": 0.01})
        assert made.status == 201, made
        for path in (f"/stack{RULES}/", "/stack/_fault_injection/"):
            assert service.delete(path).error == "RouteNotFound"
        assert service.delete("/stack/_fault_injection/%2e%2e/rules").error == "InvalidArguments"
        assert len(service.get(f"/stack{RULES}").json) == 1


def test_no_path_that_continues_the_prefix_reaches_a_page_without_a_service_token(tmp_path: Path) -> None:
    config = settings(tmp_path / "faults.sqlite3", f"[server.tokens]\nrobot = '{token_hash('t')}'\n")
    with running_service(tmp_path / "service", config, prefix="/stack") as service:
        assert service.get(f"/stack{RULES}").error == "Unauthorized"
        answer = service.get(f"/stack{RULES.removeprefix('/')}")
        assert (answer.status, answer.error) == (404, "RouteNotFound"), answer
        assert "does not start with a slash" in answer.json["message"]
        # Gunicorn takes the prefix from a proxy on the same machine, too.
        for prefix in ("/", "/stack/"):
            path = prefix.rstrip("/") + RULES
            assert service.get(path, headers={"SCRIPT_NAME": prefix}).error == "Unauthorized"
            authorized = {"SCRIPT_NAME": prefix, "Authorization": "Bearer t"}
            assert service.get(path, headers=authorized).json == []
