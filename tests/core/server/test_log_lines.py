"""The log: one format for all lines, whoever writes them and whatever is in them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simplestack.identity.tokens import token_hash
from support.distributions import install
from support.service import Service, running_service, token, wait_for

HOSTILE = "a\n2026-11-26T00:00:00.000Z ERROR forged[1]: b\x1b[2J\u2028c\x85d"
PLUGIN = f"""
import logging, warnings
log = logging.getLogger("plugin_loud.api")
HOSTILE = {HOSTILE!r}

class Broken:
    def __del__(self):
        raise ValueError(HOSTILE)

def fail():
    raise ValueError(HOSTILE)

@hookimpl
def host_list(session):
    log.warning("from a plugin: %s", HOSTILE)
    warnings.warn(HOSTILE)
    thread = threading.Thread(target=fail, name="own")
    thread.start()
    thread.join()
    Broken()
    return []

@hookimpl
def storage_list(session):
    fail()

@hookimpl
def guest_delete(session, guest_id):
    raise HypervisorError(HOSTILE)

plugin = HypervisorPlugin(name="loud", title="Loud", connect=lambda t, c, s: object(),
                          disconnect=lambda s: None, hooks=(me,), settings=HypervisorSettings)
"""
SERVICE_TOKEN = "the-service-token"
CONFIG = f"""
[server]
workers = 1
tokens = {{ ci = "{token_hash(SERVICE_TOKEN)}" }}
"""
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
LINE = re.compile(rf"{TIME} (DEBUG|INFO|WARNING|ERROR|CRITICAL) [\w.]+\[\d+\]: \S.*")
AUDIT_LINE = re.compile(rf"{TIME} (INFO|WARNING|ERROR) simplestack\.audit\[\d+\]: \w+ \w+ .*request_id=\S+.*")
HEADERS = {"X-Simplestack-Hypervisor-Token": token("ad min"), "Authorization": f"Bearer {SERVICE_TOKEN}"}


def provoke(service: Service) -> None:
    """Make everybody write into the log."""
    service.get("/loud/h/hosts", headers={**HEADERS, "X-Request-Id": "hosts-1"})
    service.get("/loud/h/storages", headers={**HEADERS, "X-Request-Id": "storages-1"})
    service.delete("/loud/h/guests/a%22%20b%E2%80%A8%C2%85c", headers={**HEADERS, "X-Request-Id": "delete-1"})
    service.get("/nowhere/%0A", headers=HEADERS)
    service.get("/loud/h/hosts", headers={"X-Request-Id": "refused-1", "Authorization": "Bearer wr0ng-t0ken"})
    service.raw(b"GET / HTTP/1.1\r\nHost: h\r\nbad header: s3cret\r\n\r\n")
    wait_for(lambda: "delete-1" in service.audit_path.read_text(), what="the audit line")


@pytest.fixture(scope="module", params=["text", "json"])
def ended(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that has ended, with everything in its log."""
    folder = tmp_path_factory.mktemp(request.param)
    install(folder / "plugins", "loud", PLUGIN)
    environment = {
        "SIMPLESTACK_SERVER__LOG_FORMAT": request.param,
        "SIMPLESTACK_SERVER__AUDIT_FORMAT": request.param,
    }
    with running_service(folder, CONFIG, plugins=folder / "plugins", environment=environment) as service:
        provoke(service)
        service.stop()
        yield service


@pytest.fixture
def is_text(ended: Service) -> bool:
    return not ended.log.startswith("{")


def lines_of(text: str) -> list[str]:
    """Return the lines as a reader sees them that knows every kind of line break."""
    return text.splitlines()


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines_of(text)]


def test_every_line_of_the_log_has_the_format(ended: Service, is_text: bool) -> None:
    if is_text:
        assert [line for line in lines_of(ended.log) if not LINE.fullmatch(line) and line[:2] != "  "] == []
        return
    for line in objects(ended.log):
        assert re.fullmatch(TIME, line["time"])
        assert line["level"] in {"debug", "info", "warning", "error", "critical"}
        assert line["logger"]
        assert line["process"] > 0
        assert line["message"]


def test_every_line_of_the_audit_has_the_format(ended: Service, is_text: bool) -> None:
    text = ended.audit_path.read_text()
    if is_text:
        assert [line for line in lines_of(text) if not AUDIT_LINE.fullmatch(line)] == []
        return
    assert {(line["level"], line["operation"]) for line in objects(text)} == {
        ("info", "host_list"),
        ("error", "storage_list"),
        ("warning", "guest_delete"),
    }


def test_hostile_text_is_escaped_and_makes_no_line_of_its_own(ended: Service) -> None:
    for text in (ended.log, ended.audit_path.read_text()):
        assert "forged" in text
        assert "\x1b" not in text
        assert not re.search(r"^\S+ ERROR forged", text, re.MULTILINE)


def test_gunicorn_plugins_threads_and_python_write_into_the_log(ended: Service, is_text: bool) -> None:
    for what in (
        "Starting gunicorn",
        "from a plugin: a",
        "UserWarning: a",
        "a thread ended: own",
        "Exception ignored in",
        "request storages-1 failed: unexpected error",
    ):
        (line,) = [line for line in lines_of(ended.log) if what in line]
        if is_text:
            assert LINE.fullmatch(line)


def test_lines_of_a_plugin_have_the_id_of_the_request(ended: Service, is_text: bool) -> None:
    (line,) = [line for line in lines_of(ended.log) if "from a plugin: " in line]
    if is_text:
        assert line.endswith(" (request hosts-1)")
    else:
        assert json.loads(line)["request_id"] == "hosts-1"


def test_a_traceback_is_below_its_line(ended: Service, is_text: bool) -> None:
    if is_text:
        below = ended.log.partition("request storages-1 failed: unexpected error\n")[2]
        assert below.startswith("  Traceback (most recent call last):\n    File ")
        assert r"  ValueError: a" in below
        return
    (line,) = [line for line in objects(ended.log) if "storages-1 failed" in line["message"]]
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert line["exception"].endswith(f"ValueError: {HOSTILE}")


def test_a_rejected_service_token_is_a_warning_with_the_address_and_without_the_token(
    ended: Service, is_text: bool
) -> None:
    (line,) = [line for line in lines_of(ended.log) if "refused-1" in line]
    message = (
        "request refused-1 rejected: GET /loud/h/hosts 401 Unauthorized, client 127.0.0.1: the service token "
        "is unknown to this service: ask its operator for one"
    )
    if is_text:
        assert " WARNING simplestack.server[" in line
        assert line.endswith(message)
    else:
        found = json.loads(line)
        assert (found["level"], found["message"]) == ("warning", message)
        assert (found["status"], found["error"]) == (401, "Unauthorized")
        assert (found["request_id"], found["client_address"]) == ("refused-1", "127.0.0.1")
    for secret in ("wr0ng-t0ken", SERVICE_TOKEN, "s3cret"):
        assert secret not in ended.log
        assert secret not in ended.audit_path.read_text()


def test_a_malformed_request_is_one_line_with_the_address(ended: Service) -> None:
    (line,) = [
        line for line in lines_of(ended.log) if "rejected before it was read: 400 InvalidArguments" in line
    ]
    assert "client 127.0.0.1" in line
    assert "Invalid request from" not in ended.log


def test_an_audit_line_has_status_reason_token_and_address(ended: Service, is_text: bool) -> None:
    (line,) = [line for line in lines_of(ended.audit_path.read_text()) if "delete-1" in line]
    if is_text:
        assert re.sub(r"duration_ms=[\d.]+", "duration_ms=1", line).partition("]: ")[2] == (
            r'guest_delete HypervisorError status=502 hypervisor=loud host=h user="ad min" client=ci '
            r'client_address=127.0.0.1 guest_id="a\" b\u2028\x85c" duration_ms=1 request_id=delete-1 '
            r'reason="a 2026-11-26T00:00:00.000Z ERROR forged[1]: b\u001b[2J c d"'
        )
        return
    found = json.loads(line)
    assert (found["status"], found["outcome"], found["client"]) == (502, "HypervisorError", "ci")
    assert (found["user"], found["client_address"]) == ("ad min", "127.0.0.1")
    assert found["ids"] == {"guest_id": 'a" b\u2028\x85c'}
    assert found["reason"] == "a 2026-11-26T00:00:00.000Z ERROR forged[1]: b\x1b[2J c d"


def test_the_minimum_level_is_a_setting_and_the_audit_has_all_lines(tmp_path: Path) -> None:
    with running_service(tmp_path, '[server]\nlog_level = "error"') as service:
        service.get("/mock/demo/guests", headers={"X-Request-Id": "quiet-1"})
        service.get("/nowhere")
        assert service.audit_of("quiet-1")["level"] == "info"
        assert service.log == ""
