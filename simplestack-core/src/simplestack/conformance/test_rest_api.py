"""What only the REST API has: malformed requests, Content-Type, methods, `?fields=`, HEAD."""

from typing import Any

import pytest

from simplestack.conformance.http_client import HttpClient, Response
from simplestack.conformance.kit import Kit
from simplestack.conformance.marks import ROWS, drives
from simplestack.operations.model import JsonBody

_UNKNOWN = "00000000-0000-4000-8000-000000000000"
_JSON = {"Content-Type": "application/json"}
_WITH_BODIES = [row for row in ROWS.values() if isinstance(row.body, JsonBody)]


def _path(http: HttpClient, operation: str, guest_id: str = _UNKNOWN) -> str:
    row = ROWS[operation]
    names = [part.strip("{}") for part in row.path.split("/") if part.startswith("{")]
    return http.below(row, {name: guest_id if name == "guest_id" else _UNKNOWN for name in names})


def _error(response: Response, operation: str) -> str:
    return response.error(operation).name


@pytest.mark.parametrize(
    "operation", [pytest.param(row.name, marks=drives(row.name)) for row in _WITH_BODIES]
)
@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b"null", b'"text"', b'{"no_such_field": 1}', b"\xff{}", b"{}{}", b'{"name": [1]}'],
    ids=["broken", "list", "null", "text", "unknown field", "not UTF-8", "two objects", "wrong type"],
)
def test_a_malformed_body_is_400_before_anything_is_looked_up(
    http: HttpClient, operation: str, body: bytes
) -> None:
    response = http.send(ROWS[operation].method, _path(http, operation), body, _JSON)
    assert (response.status, _error(response, operation)) == (400, "InvalidArguments")


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(row.name, marks=drives(row.name))
        for row in ROWS.values()
        if "{guest_id}" in row.path and row.body is None
    ],
)
@pytest.mark.parametrize(
    "identity",
    ["-1", "a'b\"<>&", "ü" * 100, "%", "a/b", "x" * 1000],
    ids=["negative", "markup", "umlauts", "percent", "slash", "long"],
)
def test_an_id_of_any_letters_is_an_id_that_is_not_found(
    http: HttpClient, operation: str, identity: str
) -> None:
    row = ROWS[operation]
    names = [part.strip("{}") for part in row.path.split("/") if part.startswith("{")]
    response = http.send(row.method, http.below(row, dict.fromkeys(names, identity)))
    assert (response.status, _error(response, operation)) == (404, "EntityNotFound")


@drives("guest_list", "guest_info")
def test_fields_trim_a_list_and_a_guest(kit: Kit, http: HttpClient) -> None:
    guest = kit.make(http) if kit.has("guest_create") else http.do("guest_list")[0]
    listed = http.send("GET", f"{http.base}/guests?fields=name,state").json
    assert {frozenset(item) for item in listed} == {frozenset({"id", "name", "state"})}
    shown = http.send("GET", f"{http.base}/guests/{guest['id']}?fields=name").json
    assert shown == {"id": guest["id"], "name": guest["name"]}
    for query in ("fields=nme", "fields=", "feilds=name", "limit=10"):
        wrong = http.send("GET", f"{http.base}/guests?{query}")
        assert (wrong.status, _error(wrong, "guest_list")) == (400, "InvalidArguments"), query


@drives("guest_list")
def test_head_is_get_without_the_body(http: HttpClient) -> None:
    response = http.send("HEAD", f"{http.base}/guests")
    assert (response.status, response.body) == (200, b"")
    assert response.headers["content-type"] == "application/json"


@drives("guest_list")
def test_a_method_that_no_operation_has_is_405_and_a_path_that_none_has_404(http: HttpClient) -> None:
    wrong_method = http.send("DELETE", f"{http.base}/guests")
    assert (wrong_method.status, _error(wrong_method, "-")) == (405, "MethodNotAllowed")
    assert "GET" in wrong_method.headers["allow"]
    wrong_path = http.send("GET", f"{http.base}/gusts")
    assert (wrong_path.status, _error(wrong_path, "-")) == (404, "RouteNotFound")


@drives("guest_list")
@pytest.mark.parametrize("token", ["", "not base64!", "bm9jb2xvbg=="], ids=["none", "no base64", "no colon"])
def test_a_token_that_cannot_be_read_is_401(http: HttpClient, token: str) -> None:
    response = http.send("GET", f"{http.base}/guests", headers={"X-Simplestack-Hypervisor-Token": token})
    assert (response.status, _error(response, "guest_list")) == (401, "Unauthorized")


@drives("guest_list")
def test_a_request_id_of_the_client_comes_back(http: HttpClient) -> None:
    response = http.send("GET", f"{http.base}/guests", headers={"X-Request-Id": "kit-42"})
    assert response.headers["x-request-id"] == "kit-42"


def test_what_is_not_implemented_is_501_by_name(kit: Kit, http: HttpClient) -> None:
    for row in ROWS.values():
        if row.body is None and kit.lacks(row.name) == list(row.hooks):
            names: list[Any] = [part.strip("{}") for part in row.path.split("/") if part.startswith("{")]
            response = http.send(row.method, http.below(row, dict.fromkeys(names, _UNKNOWN)))
            assert (response.status, _error(response, row.name)) == (501, "NotImplementedError"), row.name
