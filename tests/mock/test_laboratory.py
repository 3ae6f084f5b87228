"""The laboratory as client authors use it: over HTTP, with several workers."""

import http.client
import os
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from simplestack.mock import Laboratory, Rule
from support.service import Answer, Service, running_service, token, wait_for

SETTINGS = """
[server]
workers = 2
[hypervisors.mock]
laboratory = true
call_timeout_seconds = 2
content_bytes = 262144
"""
#: The status of every error that an operation can answer with, as the REST contract has it.
STATUSES = {
    "InvalidArguments": 400,
    "Unauthorized": 401,
    "PermissionDenied": 403,
    "HostNotAllowed": 403,
    "EntityNotFound": 404,
    "HypervisorNotFound": 404,
    "InvalidState": 409,
    "Conflict": 409,
    "Busy": 409,
    "LengthRequired": 411,
    "PayloadTooLarge": 413,
    "InternalError": 500,
    "NotImplementedError": 501,
    "HypervisorError": 502,
    "HypervisorUnavailable": 503,
    "HypervisorTimeout": 504,
    "InsufficientStorage": 507,
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("laboratory"), SETTINGS) as made:
        yield made


@pytest.fixture
def world(request: pytest.FixtureRequest) -> str:
    """A world of its own for each test."""
    return f"w{abs(hash(request.node.nodeid))}"


def rule(service: Service, world: str, **members: Any) -> Answer:
    made = service.post(f"/_mock/{world}/rules", members)
    assert made.status == 201, made
    return made


def guests(service: Service, world: str) -> Answer:
    return service.get(f"/mock/{world}/guests")


def stopped(service: Service, world: str) -> str:
    found = [guest["id"] for guest in guests(service, world).json if guest["state"] == "STOPPED"]
    return f"/mock/{world}/guests/{found[0]}"


@pytest.mark.parametrize(("error", "status"), STATUSES.items())
def test_every_error_of_the_contract_can_be_provoked(
    service: Service, world: str, error: str, status: int
) -> None:
    rule(service, world, operation="guest_list", action="error", error=error, message="as asked")
    answer = guests(service, world)
    assert (answer.status, answer.error) == (status, error)
    if error != "InternalError":  # whose text is never a client's
        assert answer.json["message"] == "as asked"


def test_an_error_has_the_members_and_the_header_that_the_rule_gives(service: Service, world: str) -> None:
    busy = {"error": "Busy", "retry_after_seconds": 7, "details": {"task": "OpaqueRef:1"}}
    rule(service, world, operation="guest_list", action="error", **busy)
    answer = guests(service, world)
    assert (answer.headers["retry-after"], answer.json["task"]) == ("7", "OpaqueRef:1")
    service.delete(f"/_mock/{world}/rules")
    rule(service, world, operation="guest_list", action="error", error="InvalidState")
    assert {"current", "needed"} <= guests(service, world).json.keys()


def test_the_nth_call_alone_fails_however_many_clients_call_at_once(service: Service, world: str) -> None:
    nth = {"error": "HypervisorUnavailable", "on_call": 5, "times": 3}
    rule(service, world, operation="guest_list", action="error", **nth)
    with ThreadPoolExecutor(8) as pool:
        answers = Counter(pool.map(lambda _: guests(service, world).status, range(40)))
    assert answers == {200: 37, 503: 3}
    shown = service.get(f"/_mock/{world}").json
    assert shown["calls"] == {"guest_list": 40}
    assert [(report["calls"], report["hits"]) for report in shown["rules"]] == [(40, 3)]


def test_calls_one_after_the_other_fail_from_the_nth_on(service: Service, world: str) -> None:
    rule(service, world, operation="guest_list", action="error", error="Busy", on_call=2, times=2)
    assert [guests(service, world).status for _ in range(5)] == [200, 409, 409, 200, 200]


def test_a_rule_is_about_one_operation_or_one_guest(service: Service, world: str) -> None:
    path = stopped(service, world)
    one = path.rpartition("/")[2]
    rule(service, world, guest=one, action="error", error="Busy")
    assert service.get(path).error == "Busy"
    assert service.get(f"{path}/disks").error == "Busy"
    assert guests(service, world).status == 200
    service.delete(f"/_mock/{world}/rules")
    rule(service, world, operation="power_guest", action="error", error="Conflict")
    assert service.put(f"{path}/power", {"state": "start"}).error == "Conflict"
    assert service.get(path).json["state"] == "STOPPED"
    service.delete(f"/_mock/{world}/rules")
    rule(service, world, operation="guest_resume", action="error", error="Conflict")
    assert service.put(f"{path}/power", {"state": "start"}).status == 200


def test_an_operation_can_take_effect_although_the_client_is_told_otherwise(
    service: Service, world: str
) -> None:
    rule(service, world, operation="guest_create", action="error", error="HypervisorTimeout", when="after")
    answer = service.post(f"/mock/{world}/guests", {"name": "made", "memory": 64})
    assert (answer.status, answer.error) == (504, "HypervisorTimeout")
    assert "made" in [guest["name"] for guest in guests(service, world).json]


def test_a_delay_makes_a_call_slower_by_at_least_as_much(service: Service, world: str) -> None:
    rule(service, world, operation="guest_list", action="delay", delay_seconds=0.4)
    assert guests(service, world).status == 200
    wait_for(lambda: any(line["host"] == world for line in service.audit), what="the audit line")
    (line,) = (line for line in service.audit if line["host"] == world)
    assert line["duration_ms"] >= 400


def test_a_dropped_connection_ends_without_a_byte_and_says_so_in_log_and_audit(
    service: Service, world: str
) -> None:
    rule(service, world, operation="guest_list", action="drop", times=1)
    with socket.create_connection(service.address, timeout=20) as connection:
        head = (
            f"GET /mock/{world}/guests HTTP/1.1\r\nHost: x\r\nX-Simplestack-Hypervisor-Token: {token()}\r\n"
            f"X-Request-Id: {world}\r\n"
        )
        connection.sendall(f"{head}\r\n".encode())
        try:
            received = connection.recv(1)
        except ConnectionResetError:
            received = b""
    assert received == b""
    assert guests(service, world).status == 200
    (line,) = (line for line in service.log.splitlines() if f"request {world}: " in line)
    assert "the connection is closed without a response: " in line
    assert "a rule of fault injection drops the connection" in line
    assert service.audit_of(world)["outcome"] == "ConnectionDropped"


def test_a_change_can_take_effect_before_the_connection_is_dropped(service: Service, world: str) -> None:
    rule(service, world, operation="guest_create", action="drop", when="after")
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
        service.post(f"/mock/{world}/guests", {"name": "made", "memory": 64})
    assert "made" in [guest["name"] for guest in guests(service, world).json]


def test_an_export_can_break_off_in_the_middle(service: Service, world: str) -> None:
    path = stopped(service, world)
    rule(service, world, operation="guest_export", action="drop", after_bytes=100_000, times=1)
    with pytest.raises(http.client.IncompleteRead) as broken:
        service.get(f"{path}/export", headers={"X-Request-Id": world})
    assert len(broken.value.partial) == 100_000
    (line,) = (line for line in service.log.splitlines() if f"request {world}: " in line)
    assert "the response broke off after 100000 bytes: ConnectionDropped" in line
    assert service.audit_of(world)["outcome"] == "ConnectionDropped"
    assert len(service.get(f"{path}/export").body) > 2 * 262144


def test_an_import_can_break_off_in_the_middle_and_leaves_nothing(service: Service, world: str) -> None:
    image = service.get(f"{stopped(service, world)}/export").body
    before = guests(service, world).json
    octets = {"Content-Type": "application/octet-stream"}
    rule(
        service,
        world,
        operation="guest_import",
        action="error",
        error="InsufficientStorage",
        after_bytes=9000,
    )
    assert service.post(f"/mock/{world}/guests", image, headers=octets).error == "InsufficientStorage"
    assert guests(service, world).json == before
    service.delete(f"/_mock/{world}/rules")
    assert service.post(f"/mock/{world}/guests", image, headers=octets).status == 201


def test_a_rule_for_imports_into_a_storage_leaves_other_imports_alone(service: Service, world: str) -> None:
    octets = {"Content-Type": "application/octet-stream"}
    storage = service.get(f"/mock/{world}/storages").json[0]["id"]
    rule(service, world, operation="storage_guest_import", action="error", error="Busy")
    assert service.post(f"/mock/{world}/guests", b"x" * 600, headers=octets).status == 201
    into = service.post(f"/mock/{world}/storages/{storage}/guests", b"x" * 600, headers=octets)
    assert into.error == "Busy"


def test_what_hangs_is_a_timeout_after_the_operators_limit(service: Service, world: str) -> None:
    rule(service, world, operation="guest_list", action="hang")
    answer = guests(service, world)
    assert (answer.status, answer.error) == (504, "HypervisorTimeout")
    assert "within 2 s" in answer.json["message"]


def test_what_hangs_goes_on_when_the_rule_is_removed(tmp_path: Path) -> None:
    with running_service(tmp_path, SETTINGS.replace("= 2\ncontent", "= 600\ncontent")) as patient:
        made = rule(patient, "demo", operation="guest_list", action="hang")
        with ThreadPoolExecutor(1) as pool:
            hanging = pool.submit(guests, patient, "demo")
            wait_for(lambda: patient.get(made.headers["location"]).json["hits"] == 1, what="the call")
            assert not hanging.done()
            assert patient.delete(made.headers["location"]).status == 204
            assert hanging.result(timeout=20).status == 200


def test_rules_and_guests_outlive_a_worker(tmp_path: Path) -> None:
    with running_service(tmp_path, SETTINGS) as service:
        rule(service, "demo", operation="guest_list", action="error", error="Busy", on_call=2)
        assert guests(service, "demo").status == 200
        for worker in psutil.Process(service.process.pid).children():
            os.kill(worker.pid, signal.SIGKILL)
        wait_for(lambda: _answers(service), what="new workers")
        assert guests(service, "demo").error == "Busy"


def _answers(service: Service) -> bool:
    try:
        return service.get("/healthz").status == 200
    except OSError:
        return False


def test_ten_thousand_guests_are_there_with_one_request(service: Service, world: str) -> None:
    assert service.post(f"/_mock/{world}/guests", {"count": 10_000}).json == {"guests": 10_002}
    listed = guests(service, world).json
    assert len(listed) == len({guest["id"] for guest in listed}) == 10_002
    assert Counter(guest["state"] for guest in listed) == {"STARTED": 4001, "STOPPED": 4001, "PAUSED": 2000}
    assert len({guest["ip"] for guest in listed if guest["state"] == "STARTED"}) == 4001
    last = next(guest for guest in listed if guest["name"] == "guest-10000")
    disks = service.get(f"/mock/{world}/guests/{last['id']}/disks").json
    assert sum(disk["size"] for disk in disks) == last["hdd"]
    refused = service.post(f"/_mock/{world}/guests", {"count": 10_000})
    assert (refused.status, refused.error) == (409, "Conflict")
    assert "the bound in [hypervisors.mock] is 20000" in refused.json["message"]
    assert len(guests(service, world).json) == 10_002


def test_the_same_world_has_the_same_guests_in_every_service(
    service: Service, world: str, tmp_path: Path
) -> None:
    service.post(f"/_mock/{world}/guests", {"count": 3})
    service.post(f"/_mock/{world}/guests", {"count": 2})
    with running_service(tmp_path, SETTINGS + "seed_guests = 5") as other:
        here = {guest["id"]: guest["name"] for guest in guests(service, world).json}
        assert {guest["id"]: guest["name"] for guest in guests(other, world).json} == here


def test_a_world_can_be_made_as_new(tmp_path: Path) -> None:
    rules = '\n[[hypervisors.mock.rules]]\noperation = "disk_list"\naction = "error"\nerror = "Busy"\n'
    with running_service(tmp_path, f"{SETTINGS}seed_guests = 2\n{rules}") as service:
        first = guests(service, "demo").json
        assert len(first) == 4
        service.post("/_mock/demo/guests", {"count": 1})
        service.delete("/_mock/demo/rules")
        assert service.delete("/_mock/demo").status == 204
        assert guests(service, "demo").json == first
        assert service.get(f"/mock/demo/guests/{first[0]['id']}/disks").error == "Busy"
        assert service.get("/_mock/demo").json["calls"] == {"guest_list": 1, "disk_list": 1}


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"operation": "guest_exprt", "action": "hang"}, "did you mean 'guest_export'?"),
        ({"action": "explode"}, "`action` is the string 'explode': send delay, error, hang or drop"),
        ({"action": "error"}, "`error` belongs to the action `error`, which needs it"),
        ({"action": "error", "error": "Bussy"}, "did you mean 'Busy'?"),
        ({"action": "hang", "error": "Busy"}, "`error` belongs to the action `error`"),
        ({"action": "delay"}, "`delay_seconds` belongs to the action `delay`, which needs it"),
        (
            {"action": "delay", "delay_seconds": 1e9},
            "`delay_seconds` is 1000000000: send a number of seconds (0 to 3600)",
        ),
        ({"action": "drop", "message": "x"}, "belong to the action `error`"),
        ({"action": "drop", "after_bytes": 5}, "`after_bytes` belongs to one of guest_export"),
        ({"action": "drop", "on_call": 0}, "`on_call` is 0: send a whole number (1 to 1000000000)"),
        ({"action": "drop", "tims": 1}, "did you mean `times`?"),
        ({}, "`action` is missing: send delay, error, hang or drop"),
    ],
)
def test_a_rule_that_could_not_do_what_it_says_is_refused(
    service: Service, world: str, members: Any, reason: str
) -> None:
    answer = service.post(f"/_mock/{world}/rules", members)
    assert (answer.status, answer.error) == (400, "InvalidArguments")
    assert reason in answer.json["message"]
    assert service.get(f"/_mock/{world}/rules").json == []


def test_a_rule_of_another_world_or_of_none_is_not_found(service: Service, world: str) -> None:
    made = rule(service, world, action="hang")
    number = made.json["id"]
    for path in (
        f"/_mock/other{world}/rules/{number}",
        f"/_mock/{world}/rules/999999",
        f"/_mock/{world}/rules/x",
    ):
        assert service.get(path).error == "EntityNotFound"
        assert service.delete(path).error == "EntityNotFound"
    assert service.get(made.headers["location"]).json["rule"] == {"action": "hang"}
    assert service.delete(f"/_mock/{world}/rules").status == 204


def test_without_the_setting_there_is_no_laboratory(tmp_path: Path) -> None:
    with running_service(tmp_path, "") as service:
        for method, path in (
            ("GET", "/_mock/demo"),
            ("POST", "/_mock/demo/rules"),
            ("DELETE", "/_mock/demo"),
        ):
            assert service.request(method, path).status in {404, 405}
        assert "laboratory" not in service.log


def test_with_the_setting_the_operator_is_told(service: Service) -> None:
    assert "the laboratory is on: whoever reaches this service can make its mock fail" in service.log


def test_rules_without_the_laboratory_are_a_wrong_setting(tmp_path: Path) -> None:
    config = '[[hypervisors.mock.rules]]\naction = "hang"\n'
    with (
        pytest.raises(AssertionError, match="do nothing without `laboratory = true`"),
        running_service(tmp_path, config),
    ):
        pass


def test_tests_in_python_set_rules_without_http(service: Service, world: str) -> None:
    config = service.log_path.with_name("simplestack.toml")
    database = service.log_path.parent / "simplestack/mock.sqlite3"
    own = config.with_name("python.toml")
    own.write_text(config.read_text() + f'database = "{database}"\n')
    laboratory = Laboratory.of(own, world)
    made = laboratory.add_rule(Rule(operation="guest_list", action="error", error="Busy", times=1))
    assert [guests(service, world).status for _ in range(2)] == [409, 200]
    assert [(report.id, report.calls, report.hits) for report in laboratory.rules()] == [(made.id, 2, 1)]
    assert laboratory.add_guests(7) == 9
    assert laboratory.calls() == {"guest_list": 2}
    laboratory.remove_rule(made.id)
    laboratory.reset()
    assert (laboratory.guests(), laboratory.rules()) == (2, [])
