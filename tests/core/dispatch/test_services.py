"""Service plugins and the audit see every operation of every hypervisor."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from support.distributions import install
from support.service import Service, running_service

POLICY = """
import msgspec

@hookimpl(wrapper=True)
def operation_call(operation, arguments, context):
    assert not hasattr(context, "password")
    assert "secret" not in repr(context)
    assert b"secret" not in msgspec.json.encode(context)
    assert not hasattr(context, "credentials")
    if operation == "guest_delete" and context.user != "root":
        raise PermissionDenied(f"{context.user} may not {operation} {arguments['guest_id']}")
    return (yield)
plugin = ServicePlugin(name="policy", title="Policy", make=lambda settings: me)
"""


def test_a_policy_refuses_before_anything_is_connected_to_and_the_audit_says_so(
    tmp_path: Path, plugins: Path
) -> None:
    install(plugins, "policy", POLICY, "simplestack.services")
    with running_service(tmp_path, plugins=plugins) as service:
        answer = service.delete("/mock/demo/guests/42", headers={"X-Request-Id": "refused"})
        assert (answer.status, answer.error) == (403, "PermissionDenied")
        assert answer.json["message"] == "admin may not guest_delete 42"
        assert service.get("/healthz").json["sessions"] == 0
        line = service.audit_of("refused")
        assert (line["outcome"], line["reason"]) == ("PermissionDenied", answer.json["message"])
        assert service.get("/").json["services"] == {"policy": "1.0"}


def test_an_operation_leaves_one_audit_line(service: Service) -> None:
    started = datetime.now(UTC)
    made = service.post(
        "/mock/demo/guests", {"name": "audited", "memory": 64}, headers={"X-Request-Id": "a-1"}
    )
    guest = made.json["id"]
    service.put(f"/mock/demo/guests/{guest}/power", {"state": "stop"}, headers={"X-Request-Id": "a-2"})
    line = service.audit_of("a-2")
    assert line["time"].endswith("Z")
    assert started <= datetime.fromisoformat(line.pop("time")) <= datetime.now(UTC)
    del line["duration_ms"]  # see below
    assert line == {
        "level": "info",
        "request_id": "a-2",
        "hypervisor": "mock",
        "host": "demo",
        "user": "admin",
        "client_address": "127.0.0.1",
        "operation": "guest_shutdown",
        "ids": {"guest_id": guest},
        "status": 409,
        "outcome": "InvalidState",
        "reason": "cannot shut down guest 'audited' while it is STOPPED: it must be STARTED",
    }
    assert service.audit_of("a-1")["outcome"] == "ok"
    service.delete(f"/mock/demo/guests/{guest}")
    ids = [line["request_id"] for line in service.audit]
    assert (ids.count("a-1"), ids.count("a-2")) == (1, 1)


def test_the_audit_line_of_an_export_says_how_many_bytes_went_out(service: Service) -> None:
    guest = service.get("/mock/demo/guests?fields=state").json
    stopped = next(item["id"] for item in guest if item["state"] == "STOPPED")
    answer = service.get(f"/mock/demo/guests/{stopped}/export", headers={"X-Request-Id": "a-3"})
    line = service.audit_of("a-3")
    assert (line["outcome"], line["bytes"]) == ("ok", len(answer.body))


SLOW = """
@hookimpl
def guest_list(session):
    time.sleep(0.05)
    return []

@hookimpl
def guest_info(session, guest_id):
    time.sleep(0.05)
    raise EntityNotFound("Guest", guest_id)

def chunks():
    yield b"1"
    time.sleep(0.05)
    yield b"2"

@hookimpl
def guest_export(session, guest_id):
    time.sleep(0.05)
    return Export(chunks(), 2)

plugin = HypervisorPlugin(name="slow", title="Slow", connect=lambda t, c, s: object(),
                          disconnect=lambda s: None, hooks=(me,), settings=HypervisorSettings)
"""


def test_the_audit_says_how_long_an_operation_took_until_its_last_byte(tmp_path: Path, plugins: Path) -> None:
    install(plugins, "slow", SLOW)
    expected = {"guests": ("ok", 50), "guests/1": ("EntityNotFound", 50), "guests/1/export": ("ok", 100)}
    with running_service(tmp_path, plugins=plugins) as service:
        for path, (outcome, least_ms) in expected.items():
            started = time.monotonic()
            service.get(f"/slow/h/{path}", headers={"X-Request-Id": path})
            line = service.audit_of(path)
            assert line["outcome"] == outcome
            assert least_ms <= line["duration_ms"] <= 1000 * (time.monotonic() - started), path


def test_a_request_that_never_became_an_operation_is_logged_with_its_id(service: Service) -> None:
    service.get("/mock/demo/guests", headers={"X-Request-Id": "l-1", "X-Simplestack-Hypervisor-Token": None})
    assert "request l-1 rejected: GET /mock/demo/guests 401 Unauthorized" in service.log


WRONG = """
@hookimpl
def guest_list(session):
    return ["not a guest"]

@hookimpl
def guest_info(session, guest_id):
    raise KeyError("secret detail")

@hookimpl
def tag_list(session, guest_id):
    raise NotImplementedError("this model has no tags")

class NarrowUpdate(GuestUpdate, frozen=True, kw_only=True, forbid_unknown_fields=True):
    ha_enabled: bool = False

class WideGuest(Guest, frozen=True, kw_only=True):
    ha_enabled: bool = False

@hookimpl
def guest_update(session, guest_id, changes: NarrowUpdate) -> WideGuest:
    return WideGuest(id=guest_id, name="n", cpus=1, memory=1, hdd=0, state=GuestState.STOPPED,
                     ha_enabled=changes.ha_enabled)

plugin = HypervisorPlugin(name="odd", title="Odd", connect=lambda t, c, s: object(),
                          disconnect=lambda s: None, hooks=(me,), settings=HypervisorSettings)
"""


@pytest.fixture
def odd(tmp_path: Path, plugins: Path) -> Iterator[Service]:
    install(plugins, "odd", WRONG)
    with running_service(tmp_path, plugins=plugins) as service:
        yield service


def test_what_a_plugin_leaves_out_is_501(odd: Service) -> None:
    answer = odd.get("/odd/h/networks", headers={"X-Request-Id": "o-1"})
    assert (answer.status, answer.error) == (501, "NotImplementedError")
    assert (answer.json["operation"], answer.json["hypervisor"]) == ("network_list", "odd")
    assert odd.audit_of("o-1")["outcome"] == "NotImplementedError"
    assert odd.get("/healthz").json["sessions"] == 0
    assert odd.request("HEAD", "/odd/h/guests/1/export").status == 501


def test_a_plugin_that_says_not_implemented_is_501_with_its_reason(odd: Service) -> None:
    answer = odd.get("/odd/h/guests/1/tags")
    assert (answer.status, answer.error) == (501, "NotImplementedError")
    assert answer.json["message"] == "this model has no tags"


def test_a_defect_is_500_and_its_details_are_in_the_log_only(odd: Service) -> None:
    answer = odd.get("/odd/h/guests/1", headers={"X-Request-Id": "o-2"})
    assert (answer.status, answer.error) == (500, "InternalError")
    assert b"secret detail" not in answer.body
    assert b"Traceback" not in answer.body
    assert "request o-2 failed: unexpected error" in odd.log
    assert "KeyError: 'secret detail'" in odd.log
    assert odd.audit_of("o-2")["outcome"] == "InternalError"


def test_a_result_of_the_wrong_type_is_500_and_the_log_names_plugin_and_hook(odd: Service) -> None:
    assert odd.get("/odd/h/guests").error == "InternalError"
    assert "plugin 'odd': guest_list returned list" in odd.log


def test_a_plugin_takes_and_returns_members_of_its_own(odd: Service) -> None:
    path = "/odd/h/guests/1"
    answer = odd.put(path, {"ha_enabled": True})
    assert (answer.status, answer.json["ha_enabled"]) == (200, True)
    assert odd.put(f"{path}?fields=ha_enabled", {"ha_enabled": True}).json == {"id": "1", "ha_enabled": True}
    assert (
        "unknown field `ha_enabld`; did you mean `ha_enabled`?"
        in odd.put(path, {"ha_enabld": 1}).json["message"]
    )
    assert (
        json.loads(odd.put("/mock/demo/guests/1", {"ha_enabled": True}).body)["error"] == "InvalidArguments"
    )
