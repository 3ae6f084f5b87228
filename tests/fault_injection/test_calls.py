"""Calls that are slow, fail or hang."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.faults import RULES, add_rule, guests, settings, stopped
from support.service import Service, running_service, wait_for

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


@pytest.mark.parametrize(("error", "status"), STATUSES.items())
def test_every_error_of_the_contract_can_be_provoked(
    service: Service, host: str, error: str, status: int
) -> None:
    add_rule(service, host=host, operation="guest_list", action="error", error=error, message="as asked")
    answer = guests(service, host)
    assert (answer.status, answer.error) == (status, error)
    assert service.audit_of(answer.headers["x-request-id"])["outcome"] == error
    if error != "InternalError":  # whose text is never a client's
        assert answer.json["message"] == "as asked"


def test_an_error_has_the_members_and_the_header_that_the_rule_gives(service: Service, host: str) -> None:
    busy = {"error": "Busy", "retry_after_seconds": 7, "details": {"task": "OpaqueRef:1"}}
    add_rule(service, host=host, operation="guest_list", action="error", **busy)
    answer = guests(service, host)
    assert (answer.headers["retry-after"], answer.json["task"]) == ("7", "OpaqueRef:1")
    service.delete(f"{RULES}?host={host}")
    add_rule(service, host=host, operation="guest_list", action="error", error="InvalidState")
    assert {"current", "needed"} <= guests(service, host).json.keys()


def test_the_nth_call_alone_fails_however_many_clients_call_at_once(service: Service, host: str) -> None:
    nth = {"error": "HypervisorUnavailable", "on_call": 5, "times": 3}
    add_rule(service, host=host, operation="guest_list", action="error", **nth)
    with ThreadPoolExecutor(8) as pool:
        answers = Counter(pool.map(lambda _: guests(service, host).status, range(40)))
    assert answers == {200: 37, 503: 3}
    shown = service.get(f"/_fault_injection?host={host}").json
    assert [(count["operation"], count["calls"]) for count in shown["calls"]] == [("guest_list", 40)]
    assert [(report["calls"], report["hits"]) for report in shown["rules"]] == [(40, 3)]


def test_calls_one_after_the_other_fail_from_the_nth_on(service: Service, host: str) -> None:
    add_rule(service, host=host, operation="guest_list", action="error", error="Busy", on_call=2, times=2)
    assert [guests(service, host).status for _ in range(5)] == [200, 409, 409, 200, 200]


def test_a_rule_is_about_one_operation_or_one_guest(service: Service, host: str) -> None:
    path = stopped(service, host)
    one = path.rpartition("/")[2]
    add_rule(service, host=host, guest=one, action="error", error="Busy")
    assert service.get(path).error == "Busy"
    assert service.get(f"{path}/disks").error == "Busy"
    assert guests(service, host).status == 200
    service.delete(f"{RULES}?host={host}")
    add_rule(service, host=host, operation="power_guest", action="error", error="Conflict")
    assert service.put(f"{path}/power", {"state": "start"}).error == "Conflict"
    assert service.get(path).json["state"] == "STOPPED"
    service.delete(f"{RULES}?host={host}")
    add_rule(service, host=host, operation="guest_resume", action="error", error="Conflict")
    assert service.put(f"{path}/power", {"state": "start"}).status == 200


def test_an_operation_can_take_effect_although_the_client_is_told_otherwise(
    service: Service, host: str
) -> None:
    add_rule(
        service, host=host, operation="guest_create", action="error", error="HypervisorTimeout", when="after"
    )
    answer = service.post(f"/mock/{host}/guests", {"name": "made", "memory": 64})
    assert (answer.status, answer.error) == (504, "HypervisorTimeout")
    assert "made" in [guest["name"] for guest in guests(service, host).json]


def test_a_delay_makes_a_call_slower_by_at_least_as_much(service: Service, host: str) -> None:
    add_rule(service, host=host, operation="guest_list", action="delay", delay_seconds=0.4)
    assert guests(service, host).status == 200
    wait_for(lambda: any(line["host"] == host for line in service.audit), what="the audit line")
    (line,) = (line for line in service.audit if line["host"] == host)
    assert line["duration_ms"] >= 400


def test_what_hangs_is_a_timeout_after_the_operators_limit(service: Service, host: str) -> None:
    add_rule(service, host=host, operation="guest_list", action="hang")
    answer = guests(service, host)
    assert (answer.status, answer.error) == (504, "HypervisorTimeout")
    assert "mock did not respond within " in answer.json["message"]


def test_what_hangs_goes_on_when_the_rule_is_removed(tmp_path: Path) -> None:
    text = settings(tmp_path / "faults.sqlite3", "call_timeout_seconds = 600\n")
    with running_service(tmp_path / "service", text) as patient, ThreadPoolExecutor(1) as pool:
        for when in ("before", "after"):
            made = add_rule(patient, operation="guest_list", action="hang", when=when)
            hanging = pool.submit(guests, patient, "demo")
            wait_for(lambda: patient.get(made.headers["location"]).json["hits"] == 1, what="the call")  # noqa: B023  called at once
            assert not hanging.done()
            assert patient.delete(made.headers["location"]).status == 204
            assert hanging.result(timeout=20).status == 200


def test_a_delay_is_no_longer_than_the_operators_limit(service: Service, host: str) -> None:
    add_rule(service, host=host, operation="guest_list", action="delay", delay_seconds=3600)
    answer = guests(service, host)
    assert (answer.status, answer.error) == (504, "HypervisorTimeout")
