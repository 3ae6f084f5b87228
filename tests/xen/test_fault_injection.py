"""Fault injection in front of a pool: what clients of real hypervisors meet, to order."""

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.faults import add_rule, settings
from support.service import Service, running_service, token
from support.xapi import PASSWORD, USER, Pool

HEADERS = {"X-Simplestack-Hypervisor-Token": token(USER, PASSWORD)}
OCTETS = {**HEADERS, "Content-Type": "application/octet-stream"}


@pytest.fixture
def service(tmp_path: Path, pool: Pool) -> Iterator[Service]:
    config = f"{settings(tmp_path / 'faults.sqlite3')}{pool.toml}call_timeout_seconds = 2\n"
    with running_service(tmp_path / "service", config) as made:
        yield made


@pytest.fixture
def path(pool: Pool, guest: str) -> str:
    """Give the path of a guest that is off."""
    return f"/xen/{pool.host}/guests/{guest}"


def test_the_second_call_fails_as_if_the_pool_had_refused_it(service: Service, pool: Pool, path: str) -> None:
    add_rule(
        service,
        hypervisor="xen",
        host=pool.host,
        operation="guest_info",
        action="error",
        error="HypervisorError",
        details={"code": "VDI_IN_USE"},
        on_call=2,
        times=1,
    )
    answers = [service.get(path, headers=HEADERS) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 502, 200]
    assert (answers[1].error, answers[1].json["code"]) == ("HypervisorError", "VDI_IN_USE")
    identity = answers[1].headers["x-request-id"]
    assert service.audit_of(identity)["outcome"] == "HypervisorError"
    assert [service.get(f"/mock/demo/guests/{number}").status for number in "12"] == [404, 404]


def test_a_call_that_hangs_ends_at_the_time_limit_and_holds_no_session(service: Service, path: str) -> None:
    made = add_rule(service, hypervisor="xen", operation="guest_info", action="hang")
    answer = service.get(path, headers=HEADERS)
    assert (answer.status, answer.error) == (504, "HypervisorTimeout")
    assert service.get("/healthz").json["busy_sessions"] == 0
    service.delete(made.headers["location"])
    assert service.get(path, headers=HEADERS).status == 200


def test_a_guest_runs_although_the_connection_was_dropped(service: Service, pool: Pool, path: str) -> None:
    add_rule(service, operation="guest_start", action="drop", when="after", times=1)
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
        service.put(f"{path}/power", {"state": "start"}, headers={**HEADERS, "X-Request-Id": "dropped"})
    assert pool.vm()["power_state"] == "Running"
    assert service.audit_of("dropped")["outcome"] == "ConnectionDropped"


def test_a_guest_stays_off_when_the_connection_is_dropped_before(
    service: Service, pool: Pool, path: str
) -> None:
    add_rule(service, operation="guest_start", action="drop", times=1)
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
        service.put(f"{path}/power", {"state": "start"}, headers=HEADERS)
    assert pool.vm()["power_state"] == "Halted"


def test_an_export_breaks_off_and_the_next_one_is_whole(service: Service, path: str) -> None:
    add_rule(service, operation="guest_export", action="drop", after_bytes=1000, times=1)
    with pytest.raises(http.client.IncompleteRead) as broken:
        service.get(f"{path}/export", headers=HEADERS)
    assert len(broken.value.partial) == 1000
    assert len(service.get(f"{path}/export", headers=HEADERS).body) > 1000
    assert service.get("/healthz").json["busy_sessions"] == 0


@pytest.mark.parametrize("action", ["drop", "error"])
def test_an_import_that_breaks_off_leaves_nothing_and_ends_as_the_rule_says(
    service: Service, pool: Pool, path: str, action: str
) -> None:
    image = service.get(f"{path}/export", headers=HEADERS).body
    before = pool.counts()
    error = {"error": "InsufficientStorage"} if action == "error" else {}
    add_rule(service, operation="guest_import", action=action, after_bytes=1000, times=1, **error)
    headers = {**OCTETS, "X-Request-Id": "import"}
    if action == "drop":
        with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
            service.post(f"/xen/{pool.host}/guests", image, headers=headers)
        outcome = "ConnectionDropped"
    else:
        answer = service.post(f"/xen/{pool.host}/guests", image, headers=headers)
        assert (answer.status, answer.error) == (507, "InsufficientStorage")
        outcome = "InsufficientStorage"
    assert service.audit_of("import")["outcome"] == outcome
    assert pool.counts() == before
    assert service.post(f"/xen/{pool.host}/guests", image, headers=OCTETS).status == 201
