"""Query parameters: an ignored one may be a misspelt filter, and then everything is returned."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from simplestack.operations.model import Operation
from simplestack.operations.table import OPERATIONS
from simplestack.plugins.plugin_types import entity_of
from support.distributions import install
from support.faults import RULES, add_rule, settings
from support.service import Service, running_service

BASE = "/mock/queries"
TRIMMED = [row for row in OPERATIONS if entity_of(row.result) is not None]
WHOLE = [row for row in OPERATIONS if row not in TRIMMED]


@pytest.fixture
def guest(service: Service) -> Iterator[str]:
    answer = service.post(f"{BASE}/guests", {"name": "asked", "memory": 64, "disks": [{"size": 1}]})
    assert answer.status == 201, answer
    yield answer.json["id"]
    service.delete(f"{BASE}/guests/{answer.json['id']}")


def path_of(row: Operation, guest: str = "x") -> str:
    return BASE + re.sub(r"{\w+}", "x", row.path.replace("{guest_id}", guest)).rstrip("/")


@pytest.mark.parametrize(
    "query", ["limit=10", "limit", "limit=", "=", "fields=id&limit=10", "Fields=id", "filter[a]=1"]
)
@pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: row.name)
def test_an_unknown_query_parameter_is_400_for_every_operation_and_nothing_is_done(
    service: Service, guest: str, row: Operation, query: str
) -> None:
    before = service.get(f"{BASE}/guests").json
    body = None if row.body is None else {"name": "never", "memory": 64}
    answer = service.request(row.method, f"{path_of(row, guest)}?{query}", body)
    assert (answer.status, answer.error) == (400, "InvalidArguments"), answer
    assert "query parameter" in answer.json["message"]
    assert service.get(f"{BASE}/guests").json == before


def test_an_unknown_query_parameter_is_named_with_those_known(service: Service) -> None:
    def message(path: str) -> str:
        answer = service.get(path)
        assert (answer.status, answer.error) == (400, "InvalidArguments"), answer
        return str(answer.json["message"])

    assert message(f"{BASE}/guests?limit=10") == "unknown query parameter 'limit': guest_list accepts fields"
    assert message(f"{BASE}/guests?feilds=id") == (
        "unknown query parameter 'feilds': guest_list accepts fields; did you mean 'fields'?"
    )
    assert (
        message(f"{BASE}/guests/1/tags?limit=10") == "unknown query parameter 'limit': tag_list accepts none"
    )
    assert message("/openapi.json?hypervsor=mock") == (
        "unknown query parameter 'hypervsor': /openapi.json accepts hypervisor; did you mean 'hypervisor'?"
    )
    assert message("/healthz?x=1") == "unknown query parameter 'x': /healthz accepts none"
    assert len(message(f"{BASE}/guests?{'x' * 3000}=1")) < 300


@pytest.mark.parametrize("row", WHOLE, ids=lambda row: row.name)
def test_fields_are_unknown_where_no_entity_is_returned(service: Service, row: Operation) -> None:
    answer = service.request(row.method, f"{path_of(row)}?fields=id", None if row.body is None else {})
    assert (answer.status, answer.error) == (400, "InvalidArguments")
    assert answer.json["message"] == f"unknown query parameter 'fields': {row.name} accepts none"


@pytest.mark.parametrize(
    "query", ["fields=", "fields", "fields=,", "fields=id,,name", "fields=+", "fields=id,"]
)
def test_a_field_without_a_name_is_400(service: Service, guest: str, query: str) -> None:
    for path in (f"{BASE}/guests", f"{BASE}/guests/{guest}"):
        answer = service.get(f"{path}?{query}")
        assert (answer.status, answer.error) == (400, "InvalidArguments"), answer
        assert "fields" in answer.json["message"]


@pytest.mark.parametrize(
    "path", [f"{BASE}/guests?fields=id&fields=name", "/openapi.json?hypervisor=mock&hypervisor=kvm"]
)
def test_a_parameter_that_is_given_twice_is_400(service: Service, path: str) -> None:
    answer = service.get(path)
    assert (answer.status, answer.error) == (400, "InvalidArguments")
    assert "is given twice" in answer.json["message"]


def test_names_of_fields_may_be_encoded_and_have_spaces_round_them(service: Service, guest: str) -> None:
    path = f"{BASE}/guests/{guest}"
    for query in ("fields=name,state", "fields=name,+state", "fields=name%2Cstate", "%66ields=name,state&"):
        assert service.get(f"{path}?{query}").json == {"id": guest, "name": "asked", "state": "STOPPED"}


def test_a_query_that_is_not_utf_8_is_400(service: Service) -> None:
    for query in ("fields=%ff", "%ff=id"):
        answer = service.get(f"{BASE}/guests?{query}")
        assert (answer.status, answer.error) == (400, "InvalidArguments")
        assert "UTF-8" in answer.json["message"]


@pytest.mark.parametrize("path", ["/", "/mock", "/healthz", "/openapi.json", "/docs", "/docs/reference.js"])
def test_an_unknown_query_parameter_is_400_on_every_page(service: Service, path: str) -> None:
    assert service.get(path).status == 200
    assert service.get(f"{path}?").status == 200
    assert service.get("/docs?hypervisor=mock").status == 200
    for query in ("limit=10", "fields=name", "limit"):
        answer = service.get(f"{path}?{query}")
        assert (answer.status, answer.error) == (400, "InvalidArguments"), answer
        assert f": {path} accepts " in answer.json["message"]
        assert service.request("HEAD", f"{path}?{query}").status == 400


def test_an_unknown_query_parameter_is_400_on_the_pages_of_fault_injection(tmp_path: Path) -> None:
    with running_service(tmp_path / "service", settings(tmp_path / "faults.sqlite3")) as service:
        rule = add_rule(service, action="delay", delay_seconds=0.01).headers["location"]
        for method, path in (
            ("GET", "/_fault_injection"),
            ("DELETE", "/_fault_injection"),
            ("GET", RULES),
            ("POST", RULES),
            ("DELETE", RULES),
            ("GET", rule),
            ("DELETE", rule),
        ):
            answer = service.request(method, f"{path}?rule=1")
            assert (answer.status, answer.error) == (400, "InvalidArguments"), (method, path)
        assert len(service.get(RULES).json) == 1


def test_fields_of_an_operation_that_a_plugin_lacks_do_not_hide_the_501(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("odd")
    install(folder / "plugins", "odd", ODD)
    with running_service(folder / "service", plugins=folder / "plugins") as service:
        for path in ("/odd/h/guests", "/odd/h/networks/1"):
            answer = service.get(f"{path}?fields=id")
            assert (answer.status, answer.error) == (501, "NotImplementedError")


ODD = """
@hookimpl
def tag_list(session, guest_id):
    return []

plugin = HypervisorPlugin(name="odd", title="Odd", connect=lambda t, c, s: object(),
                          disconnect=lambda s: None, hooks=(me,), settings=HypervisorSettings)
"""
