"""Passwords and tokens reach no log, no error, no repr and no traceback; strangers get no further."""

import json
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from simplestack import Credentials, EntityNotFound, Stack
from simplestack.identity.tokens import new_token, token_hash
from support.distributions import install
from support.service import Service, running_service, token, wait_for

PASSWORD = "pa55-that-must-not-show"
TOKEN = token("admin", PASSWORD)

FAILING = """
def connect(target, credentials, settings):
    if target.name == "refuse":
        raise Unauthorized("wrong password")
    if target.name == "defect":
        raise KeyError("defect")
    return credentials

@hookimpl
def guest_info(session, guest_id):
    raise RuntimeError(f"defect with {session!r}")

plugin = HypervisorPlugin(name="failing", title="Fails", connect=connect, disconnect=lambda s: 1 / 0,
                          hooks=(me,), settings=HypervisorSettings)
"""

UNAWARE = """
@hookimpl
def guest_create(session, guest):
    raise RuntimeError("never called")
"""


def test_a_password_shows_nowhere_even_at_debug_level(tmp_path: Path) -> None:
    plugins = tmp_path / "plugins"
    install(plugins, "failing", FAILING)
    headers = {"X-Simplestack-Hypervisor-Token": TOKEN}
    config = "[server]\nlog_level = 'debug'"
    with running_service(tmp_path, config, plugins=plugins) as service:
        answers = [
            service.get("/failing/refuse/guests/1", headers=headers),
            service.get("/failing/defect/guests/1", headers=headers),
            service.get("/failing/h/guests/1", headers=headers),
            service.get("/failing/h/networks", headers=headers),
            service.get("/mock/demo/guests", headers=headers),
            service.get("/mock/demo/guests/1", headers=headers),
            service.get("/", headers=headers),
            service.post("/mock/demo/guests", b"{", headers=headers | {"Content-Type": "application/json"}),
        ]
        service.raw(f"GET / HTTP/9\r\nX-Simplestack-Hypervisor-Token: {TOKEN}\r\n\r\n".encode())
        service.raw(f"GET / HTTP/1.1\r\nX-Simplestack-Hypervisor-Token {TOKEN}\r\n\r\n".encode())
        chunked = "POST /a/b/c/d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        service.raw(f"{chunked}{TOKEN}\r\n".encode())
        service.stop()
        for text in (service.log, service.audit_path.read_text(), *(repr(answer.body) for answer in answers)):
            assert PASSWORD not in text
            assert TOKEN not in text
            assert TOKEN.rstrip("=") not in text
        assert "defect" in service.log


@pytest.mark.parametrize("field", ["user_data", "network_config"])
def test_data_for_cloud_init_shows_nowhere(tmp_path: Path, field: str) -> None:
    install(tmp_path / "plugins", "failing", FAILING + UNAWARE)
    body = {"memory": 64, field: f"password: {PASSWORD}"}
    values = (f"{PASSWORD}\0", f"{PASSWORD}\ud800", [PASSWORD], {PASSWORD: 1}, PASSWORD * 5000, 12345678901)
    malformed = (f'"{PASSWORD}\n{PASSWORD}"}}', f'"a: "{PASSWORD}""}}', f'"{PASSWORD}', f"{PASSWORD}}}")
    wrong = [
        json.dumps({"name": "n" * 256, field: PASSWORD}).encode(),
        *(json.dumps({"name": "never", field: value}).encode() for value in values),
        *(f'{{"name": "never", "{field}": {text}'.encode() for text in malformed),
    ]
    config = "[server]\nlog_level = 'debug'\ntrace_hooks = true"
    with running_service(tmp_path / "service", config, plugins=tmp_path / "plugins") as service:
        made = service.post("/mock/demo/guests", body | {"name": "made"})
        guest = f"/mock/demo/guests/{made.json['id']}"
        copy = service.post(f"{guest}/clone", {"name": "copy", field: body[field]})
        unaware = service.post("/failing/h/guests", body | {"name": "never"})
        assert [answer.status for answer in (made, copy, unaware)] == [201, 201, 501]
        paths = ("/mock/demo/guests", f"{guest}/clone")
        rejected = [service.post(path, text) for text in wrong for path in paths]
        assert {answer.status for answer in rejected} == {400}
        shown = [service.get(f"{guest}{path}") for path in ("", "/disks", "/export")]
        service.stop()
        for answer in (made, copy, unaware, *rejected, *shown):
            assert PASSWORD[:8] not in repr(answer.body)
            assert "12345678901" not in repr(answer.body)
        for text in (service.log, service.audit_path.read_text()):
            assert PASSWORD[:8] not in text
        assert "guest_create" in service.log


def test_credentials_do_not_show_their_password() -> None:
    credentials = Credentials("admin", PASSWORD)
    assert PASSWORD not in repr(credentials)
    assert PASSWORD not in str(credentials)
    assert PASSWORD.encode() not in credentials.digest()


def test_a_traceback_of_a_script_does_not_show_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with Stack("mock", "demo", "admin", PASSWORD) as stack, pytest.raises(EntityNotFound) as caught:
        stack.guest_info("42")
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert PASSWORD not in "".join(shown.format())


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, str]]:
    made = new_token()
    config = f"[server.tokens]\nother = '{token_hash(new_token())}'\nprovisioning = '{token_hash(made)}'"
    with running_service(tmp_path_factory.mktemp("locked"), config) as service:
        yield service, made


@pytest.mark.parametrize("path", ["/", "/mock", "/mock/demo/guests"])
def test_a_service_token_is_needed_where_there_are_any(locked: tuple[Service, str], path: str) -> None:
    service, made = locked
    for headers in (
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {made}"},
        {"X-Simplestack-Token": "TODO"},
        {"X-Simplestack-Token": "wrong"},
        {"Authorization": f"Bearer {token_hash(made)}"},
    ):
        answer = service.get(path, headers=headers)
        assert (answer.status, answer.error) == (401, "Unauthorized"), headers
    for headers in (
        {"Authorization": f"Bearer {made}"},
        {"Authorization": f"bearer {made}", "X-Simplestack-Token": "TODO"},
        {"X-Simplestack-Token": made},
    ):
        assert service.get(path, headers=headers).status == 200, headers


def test_the_audit_names_the_holder_of_the_token_and_never_shows_it(locked: tuple[Service, str]) -> None:
    service, made = locked
    headers = {"Authorization": f"Bearer {made}", "X-Request-Id": "held"}
    service.get("/mock/demo/guests", headers=headers)
    assert service.audit_of("held")["client"] == "provisioning"
    assert made not in service.log + service.audit_path.read_text()


def test_health_needs_no_token(locked: tuple[Service, str]) -> None:
    assert locked[0].get("/healthz").status == 200


def test_a_host_outside_the_allow_list_is_403_and_nothing_is_connected_to(tmp_path: Path) -> None:
    config = "[hypervisors.mock]\nallowed_hosts = ['demo', '10.0.0.0/8', '*.hv.example.com']"
    with running_service(tmp_path, config) as service:
        for host in ("demo", "10.9.8.7", "a.hv.example.com", "demo:443"):
            assert service.get(f"/mock/{host}/guests").status == 200
        for host in ("11.0.0.1", "localhost", "[::1]", "127.0.0.1:443"):
            answer = service.get(f"/mock/{host}/guests", headers={"X-Request-Id": "out"})
            assert (answer.status, answer.error) == (403, "HostNotAllowed")
        assert service.audit_of("out")["outcome"] == "HostNotAllowed"


def test_a_service_for_all_to_reach_refuses_to_start_without_a_list(tmp_path: Path) -> None:
    with (
        pytest.raises(AssertionError, match=r"server.hypervisors is missing"),
        running_service(tmp_path, "", "--bind", "0.0.0.0:0"),
    ):
        pass


def test_a_service_for_all_to_reach_warns_when_it_asks_for_no_tokens(tmp_path: Path) -> None:
    config = "[server]\nhypervisors = ['mock']\n[hypervisors.mock]\nallowed_hosts = ['demo']"
    with running_service(tmp_path, config) as service:
        assert "without server.tokens" not in service.log
    environment = {"SIMPLESTACK_SERVER__BIND": "0.0.0.0:0"}
    result = subprocess.run(
        [sys.executable, "-m", "simplestack", "check-config", "--config", tmp_path / "simplestack.toml"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "warning: listening on 0.0.0.0:0 without server.tokens" in result.stderr


def test_an_upload_that_breaks_off_leaves_nothing_behind(tmp_path: Path) -> None:
    with running_service(tmp_path) as service:
        before = service.get("/mock/demo/guests").json
        head = (
            "POST /mock/demo/guests HTTP/1.1\r\nHost: a\r\nX-Request-Id: cut\r\n"
            f"X-Simplestack-Hypervisor-Token: {token()}\r\n"
        )
        for body in (
            b"Content-Length: 1000000\r\n\r\nQFI\xfb" + b"\0" * 5000,
            b"Transfer-Encoding: chunked\r\n\r\n1000\r\nQFI\xfb" + b"\0" * 4092 + b"\r\n1000\r\nx",
        ):
            with socket.create_connection(service.address, timeout=20) as connection:
                connection.sendall(head.encode() + body)
        lines = wait_for(
            lambda: [line["outcome"] for line in service.audit if line["request_id"] == "cut"][1:],
            what="both audit lines",
        )
        assert set(lines) == {"InvalidArguments"}
        assert service.get("/mock/demo/guests").json == before
