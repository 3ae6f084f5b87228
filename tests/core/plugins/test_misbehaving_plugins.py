"""Plugins that hang, exit and raise what they like: each ends its own call, and nobody else's."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.dispatching import Hypervisor, Session
from support.distributions import install
from support.service import Answer, Service, running_service, wait_for

PLUGIN = """
import os
from pathlib import Path
folder = Path(os.environ["PLUGIN_FOLDER"])

def raise_as_told(place):
    if place == os.environ["EXITS_IN"]:
        raise {error}

def connect(target, credentials, settings):
    raise_as_told("connect")
    return object()

def disconnect(session):
    raise_as_told("disconnect")

def check(session):
    raise_as_told("check")
    return True

def translate(error):
    raise_as_told("translate")

@hookimpl
def host_list(session):
    raise_as_told("hook")
    return []

@hookimpl
def tag_list(session, guest_id):
    raise KeyError("translate me")

@hookimpl
def guest_export(session, guest_id):
    def chunks():
        yield b"first"
        raise_as_told("chunk")
        yield b"second"
    return Export(chunks(), 11)

plugin = HypervisorPlugin(name="wild", title="Wild", connect=connect, disconnect=disconnect, check=check,
                          translate=translate, hooks=(me,), settings=HypervisorSettings,
                          enforces_time_limits={enforces})
"""
CONFIG = """
[server]
workers = 1
threads = 8
"""


def wild(
    folder: Path, plugins: Path, place: str, error: str = "SystemExit(3)", *, enforces: bool = True
) -> Any:
    install(plugins, "wild", PLUGIN.replace("{error}", error).replace("{enforces}", str(enforces)))
    environment = {"PLUGIN_FOLDER": str(folder), "EXITS_IN": place}
    return running_service(folder, CONFIG, plugins=plugins, environment=environment)


@pytest.mark.parametrize("enforces", [True, False])
@pytest.mark.parametrize(
    "error", ["SystemExit(3)", "KeyboardInterrupt", "GeneratorExit", "BaseException('x')"]
)
@pytest.mark.parametrize("place", ["connect", "check", "hook"])
def test_a_plugin_that_exits_in_a_call_answers_500_and_the_worker_lives(
    tmp_path: Path, plugins: Path, place: str, error: str, *, enforces: bool
) -> None:
    with wild(tmp_path, plugins, place, error, enforces=enforces) as service:
        workers = service.log.count("Booting worker")
        answers = [service.get("/wild/h/hosts", headers={"X-Request-Id": f"w-{n}"}) for n in range(2)]
        assert (answers[-1].status, answers[-1].error) == (500, "InternalError")
        assert "request w-1 failed: unexpected error" in service.log
        name = error.partition("(")[0]
        assert f"plugin 'wild' raised {name}, which would have ended the worker" in service.log
        assert service.audit_of("w-1")["outcome"] == "InternalError"
        assert service.get("/mock/demo/guests").status == 200
        assert service.log.count("Booting worker") == workers
        assert service.get("/healthz").json["busy_sessions"] == 0


def test_a_plugin_that_exits_in_translate_answers_500_with_its_first_error(
    tmp_path: Path, plugins: Path
) -> None:
    with wild(tmp_path, plugins, "translate") as service:
        assert service.get("/wild/h/guests/1/tags").error == "InternalError"
        assert "KeyError: 'translate me'" in service.log
        assert "plugin 'wild': its translate failed" in service.log
        assert service.get("/mock/demo/guests").status == 200


def test_a_plugin_that_exits_in_the_middle_of_an_export_ends_that_alone(
    tmp_path: Path, plugins: Path
) -> None:
    with wild(tmp_path, plugins, "chunk") as service:
        answer = service.raw(
            b"GET /wild/h/guests/1/export HTTP/1.1\r\nHost: a\r\nX-Request-Id: e-1\r\n"
            b"X-Simplestack-Hypervisor-Token: YTpi\r\n\r\n"
        )
        assert answer.endswith(b"first")
        assert b"Content-Length: 11" in answer or b"content-length: 11" in answer
        assert service.audit_of("e-1")["outcome"] == "InternalError"
        assert service.get("/healthz").json["busy_sessions"] == 0
        assert service.get("/mock/demo/guests").status == 200


def test_a_plugin_that_exits_in_disconnect_ends_nothing(tmp_path: Path, plugins: Path) -> None:
    with wild(tmp_path, plugins, "disconnect") as service:
        assert service.get("/wild/h/hosts").status == 200
        assert service.stop() == 0
        assert "1 session still logged in: 1 at h" in service.log


def test_a_translation_that_is_no_error_is_reported_and_the_first_error_stays(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def host_list(session: Session) -> list[Any]:
        raise KeyError("the first one")

    hypervisor = Hypervisor(host_list, translate=lambda _error: "not an error")
    with pytest.raises(KeyError, match="the first one"):
        hypervisor.call("host_list")
    assert "plugin 'lab': its translate returned str" in caplog.text


def test_ctrl_c_in_a_script_stays_what_it_is() -> None:
    def host_list(session: Session) -> list[Any]:
        raise KeyboardInterrupt

    for enforces in (True, False):
        hypervisor = Hypervisor(host_list, enforces_time_limits=enforces)
        with pytest.raises(KeyboardInterrupt):
            hypervisor.call("host_list")
        assert hypervisor.counts["busy_sessions"] == 0
        wait_for(lambda: hypervisor.disconnected, what="the session to be logged out")  # noqa: B023  at once


HANGING = """
import os
from pathlib import Path
folder = Path(os.environ["PLUGIN_FOLDER"])

@hookimpl
def guest_list(session):
    threading.Event().wait()

@hookimpl
def guest_clone(session, guest_id, name):
    (folder / f"began-{name}").touch()
    while not (folder / "let-go").exists():
        time.sleep(0.01)
    (folder / f"made-{name}").touch()
    return Guest(id=name, name=name, cpus=1, memory=1, hdd=1, state=GuestState.STOPPED)

@hookimpl
def guest_start(session, guest_id):
    while not (folder / "let-go").exists():
        time.sleep(0.01)
    if guest_id == "fails":
        raise Conflict("after all")

@hookimpl
def host_list(session):
    return []

plugin = HypervisorPlugin(name="sleepy", title="Sleepy", connect=lambda t, c, s: object(),
                          disconnect=lambda s: None, hooks=(me,), settings=HypervisorSettings)
"""
HANGING_CONFIG = """
[server]
workers = 1
threads = 8
graceful_timeout_seconds = 2
[hypervisors.sleepy]
call_timeout_seconds = 2
max_sessions_per_host = 4
connect_timeout_seconds = 1
"""


@pytest.fixture
def sleepy(tmp_path: Path, plugins: Path) -> Iterator[Service]:
    install(plugins, "sleepy", HANGING)
    environment = {"PLUGIN_FOLDER": str(tmp_path)}
    with running_service(tmp_path, HANGING_CONFIG, plugins=plugins, environment=environment) as service:
        yield service
        (tmp_path / "let-go").touch()


def test_sixty_requests_to_a_hook_that_hangs_leave_the_service_alive(sleepy: Service) -> None:
    answers: list[Answer] = []
    threads = [
        threading.Thread(target=lambda: answers.append(sleepy.get("/sleepy/h/guests"))) for _ in range(60)
    ]
    for thread in threads:
        thread.start()
    asked = 0
    while any(thread.is_alive() for thread in threads):
        assert sleepy.get("/healthz").status == 200
        assert sleepy.get("/mock/demo/guests").status == 200
        asked += 1
    assert asked > 1
    assert len(answers) == 60
    assert {answer.status for answer in answers} == {503, 504}
    rejected = [answer for answer in answers if answer.status == 503]
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in rejected)
    assert "abandoned guest_list of sleepy at h: it exceeded its time limit" in sleepy.log


def test_a_copy_outlives_the_time_limit_of_other_calls_and_its_client(
    sleepy: Service, tmp_path: Path
) -> None:
    headers = {"X-Request-Id": "copy-1"}
    with pytest.raises(TimeoutError):
        sleepy.post("/sleepy/h/guests/1/clone", {"name": "copy"}, headers=headers, timeout_seconds=3)
    assert (tmp_path / "began-copy").exists()
    assert not (tmp_path / "made-copy").exists()
    (tmp_path / "let-go").touch()
    line = sleepy.audit_of("copy-1")
    assert (line["outcome"], line["operation"]) == ("ok", "guest_clone")
    assert line["duration_ms"] > 2000
    assert (tmp_path / "made-copy").exists()


@pytest.mark.parametrize(("guest", "outcome"), [("works", "ok"), ("fails", "Conflict")])
def test_the_audit_says_how_an_abandoned_call_ended(
    sleepy: Service, tmp_path: Path, guest: str, outcome: str
) -> None:
    answer = sleepy.put(
        f"/sleepy/h/guests/{guest}/power", {"state": "start"}, headers={"X-Request-Id": "p-1"}
    )
    assert (answer.status, answer.error) == (504, "HypervisorTimeout")
    assert sleepy.audit_of("p-1")["outcome"] == "HypervisorTimeout"
    (tmp_path / "let-go").touch()
    lines = wait_for(
        lambda: [line for line in sleepy.audit if line.get("late")], what="the second line of the audit"
    )
    assert [(line["request_id"], line["operation"], line["outcome"]) for line in lines] == [
        ("p-1", "guest_start", outcome)
    ]


def test_a_service_plugin_that_hangs_leaves_the_service_alive(tmp_path: Path, plugins: Path) -> None:
    install(
        plugins,
        "sulky",
        """
        @hookimpl(wrapper=True)
        def operation_call(operation):
            threading.Event().wait()
            return (yield)
        plugin = ServicePlugin(name="sulky", title="Sulky", make=lambda settings: me)
        """,
        "simplestack.services",
    )
    config = CONFIG + "graceful_timeout_seconds = 2"
    with running_service(tmp_path, config, plugins=plugins) as service:
        for _ in range(20):
            threading.Thread(target=_ignore_errors, args=(service,), daemon=True).start()
        answer = wait_for(
            lambda: (found := service.get("/mock/demo/guests", timeout_seconds=2)).status == 503 and found,
            what="a request to be rejected",
        )
        assert answer.error == "HypervisorUnavailable"
        assert service.get("/healthz").status == 200


def _ignore_errors(service: Service) -> None:
    try:
        service.get("/mock/demo/guests", timeout_seconds=2)
    except OSError:
        return
