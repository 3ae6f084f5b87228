"""Hypervisors that never answer: each request ends within its limit, and the service goes on."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.distributions import install
from support.service import Answer, Service, running_service, wait_for

PLUGIN = """
from pathlib import Path
import os

folder = Path(os.environ["HANG_FOLDER"])

def connect(target, credentials, settings):
    (folder / f"connect-{target.name}-{os.getpid()}-{threading.get_ident()}-{time.monotonic_ns()}").touch()
    while target.name.startswith("silent") and not (folder / "let-go").exists():
        time.sleep(0.05)
    return target.name

def disconnect(session):
    (folder / f"disconnect-{session}-{time.monotonic_ns()}").touch()

@hookimpl
def guest_start(session, guest_id):
    while guest_id == "hangs" and not (folder / "let-go").exists():
        time.sleep(0.05)

@hookimpl
def guest_list(session):
    return []

@hookimpl
def guest_export(session, guest_id):
    def chunks():
        if guest_id != "late":
            yield b"first"
        while not (folder / "let-go").exists():
            time.sleep(0.05)
    return Export(chunks())

@hookimpl
def guest_reboot(session, guest_id, force):
    raise HypervisorUnavailable("the connection broke")

plugin = HypervisorPlugin(name="hang", title="Hangs", connect=connect, disconnect=disconnect, hooks=(me,),
                          settings=HypervisorSettings, shares_sessions=True)
"""
FORGIVING = """
[hypervisors.hang.hosts.silent-forgiven]
hung_timeout_seconds = 0.1
"""
CONFIG = """
[server]
workers = 1
threads = 16
[hypervisors.hang]
connect_timeout_seconds = 1
call_timeout_seconds = 1
max_sessions_per_host = 2
"""


@pytest.fixture
def service(tmp_path: Path, plugins: Path) -> Iterator[Service]:
    install(plugins, "hang", PLUGIN)
    with running_service(
        tmp_path, CONFIG + FORGIVING, plugins=plugins, environment={"HANG_FOLDER": str(tmp_path)}
    ) as made:
        yield made
        (tmp_path / "let-go").touch()


def marks(folder: Path, pattern: str) -> int:
    return len(list(folder.glob(pattern)))


def test_a_host_that_never_lets_connect_is_504_and_its_late_session_is_logged_out(
    service: Service, tmp_path: Path
) -> None:
    answer = service.get("/hang/silent/guests")
    assert (answer.status, answer.error) == (504, "HypervisorTimeout")
    assert "silent" in answer.json["message"]
    (tmp_path / "let-go").touch()
    deadline = time.monotonic() + 10
    while not marks(tmp_path, "disconnect-silent-*") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert marks(tmp_path, "disconnect-silent-*") == 1


def test_twenty_hosts_that_never_answer_do_not_stop_the_service(service: Service) -> None:
    answers: list[Answer] = []

    def ask(number: int) -> None:
        answers.append(service.get(f"/hang/silent{number}/guests"))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert service.get("/mock/demo/guests").status == 200
        assert service.get("/hang/lively/guests").status in {200, 503}
    assert len(answers) == 20
    assert {answer.status for answer in answers} <= {503, 504}
    assert 504 in {answer.status for answer in answers}
    assert all("retry-after" in answer.headers for answer in answers if answer.status == 503)
    assert service.get("/hang/lively/guests").status == 200


def test_sessions_that_hang_are_bounded_for_each_host(service: Service, tmp_path: Path) -> None:
    for _ in range(4):
        assert service.get("/hang/silent/guests").status in {503, 504}
    assert marks(tmp_path, "connect-silent-*") == 2
    answer = service.get("/hang/silent/guests")
    assert (answer.status, answer.error) == (503, "HypervisorUnavailable")


def test_a_host_whose_sessions_hang_gets_its_places_back_after_a_time(service: Service) -> None:
    for _ in range(2):
        assert service.get("/hang/silent-forgiven/guests").status == 504
    # Had they not been forgiven, this one would not even be tried: 503.
    wait_for(lambda: service.get("/hang/silent-forgiven/guests").status == 504, what="a place")
    assert "abandoned a connection to silent-forgiven" in service.log


def test_a_call_that_hangs_is_504_and_its_session_is_replaced(service: Service, tmp_path: Path) -> None:
    assert service.get("/hang/h/guests").status == 200
    answer = service.put("/hang/h/guests/hangs/power", {"state": "start"})
    assert (answer.status, answer.error) == (504, "HypervisorTimeout")
    assert "check whether the operation took effect" in answer.json["message"]
    assert service.get("/hang/h/guests").status == 200
    assert marks(tmp_path, "connect-h-*") == 2


def test_a_session_whose_connection_broke_is_logged_out_and_replaced(
    service: Service, tmp_path: Path
) -> None:
    assert service.put("/hang/h/guests/1/reboot").status == 503
    wait_for(lambda: marks(tmp_path, "disconnect-h-*") == 1, what="the session to be logged out")
    assert service.get("/hang/h/guests").status == 200
    assert marks(tmp_path, "connect-h-*") == 2


def test_an_export_that_stalls_ends_and_its_session_is_replaced(service: Service, tmp_path: Path) -> None:
    answer = service.raw(
        b"GET /hang/h/guests/1/export HTTP/1.1\r\nHost: a\r\nX-Simplestack-Hypervisor-Token: YTpi\r\n\r\n"
    )
    assert b"first" in answer
    assert not answer.endswith(b"0\r\n\r\n"), "a broken export must not look complete"
    assert service.get("/hang/h/guests", headers={"X-Simplestack-Hypervisor-Token": "YTpi"}).status == 200
    assert marks(tmp_path, "connect-h-*") == 2


def test_an_export_without_a_first_byte_is_504(service: Service) -> None:
    answer = service.get("/hang/h/guests/late/export")
    assert (answer.status, answer.error) == (504, "HypervisorTimeout")


def test_sessions_are_shared_and_logged_out_when_the_service_stops(service: Service, tmp_path: Path) -> None:
    for _ in range(5):
        assert service.get("/hang/h/guests").status == 200
    assert marks(tmp_path, "connect-h-*") == 1
    service.stop()
    assert marks(tmp_path, "disconnect-h-*") == 1
