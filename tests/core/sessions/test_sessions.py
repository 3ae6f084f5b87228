"""Sessions: nobody rides on somebody else's, none is lost, and those that cannot be shared are not."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.distributions import install
from support.service import Service, running_service, token, wait_for

PLUGIN = """
from pathlib import Path
import os, uuid
folder = Path(os.environ["SESSION_FOLDER"])

class Session:
    def __init__(self):
        self.users = 0
        self.name = uuid.uuid4().hex

def connect(target, credentials, settings):
    if credentials.password != "secret":
        (folder / f"refused-{uuid.uuid4().hex}").touch()
        raise Unauthorized("wrong password")
    session = Session()
    (folder / f"in-{session.name}").touch()
    return session

def disconnect(session):
    (folder / f"out-{session.name}").touch()

def check(session):
    return not (folder / f"dead-{session.name}").exists()

@hookimpl
def guest_info(session, guest_id):
    session.users += 1
    try:
        if guest_id == "expired" or (folder / f"expired-{session.name}").exists():
            raise SessionExpired("forgotten")
        if guest_id == "slow":
            deadline = time.monotonic() + 10
            (folder / f"waiting-{session.name}").touch()
            while not (folder / "go").exists() and time.monotonic() < deadline:
                time.sleep(0.01)
        assert session.users == 1, "two requests share this session"
        return Guest(id=session.name, name="n", cpus=1, memory=1, hdd=0, state=GuestState.STOPPED)
    finally:
        session.users -= 1

@hookimpl
def guest_delete(session, guest_id):
    raise EntityNotFound("Guest", guest_id)

@hookimpl
def guest_export(session, guest_id):
    def chunks():
        for _ in range(10_000):
            yield b"x" * 65536
    return Export(chunks(), 10_000 * 65536)

plugin = HypervisorPlugin(name="own", title="Own", connect=connect, disconnect=disconnect, check=check,
                          hooks=(me,), settings=HypervisorSettings)
"""
CONFIG = """
[server]
workers = 1
max_sessions = 4
[hypervisors.own]
max_sessions_per_host = 3
connect_timeout_seconds = 1
failed_login_seconds = 60
[hypervisors.own.hosts.brief]
idle_timeout_seconds = 0.1
"""


@pytest.fixture
def service(tmp_path: Path, plugins: Path) -> Iterator[Service]:
    install(plugins, "own", PLUGIN)
    environment = {"SESSION_FOLDER": str(tmp_path)}
    with running_service(tmp_path, CONFIG, plugins=plugins, environment=environment) as made:
        yield made


def marks(folder: Path, kind: str) -> set[str]:
    return {path.name.removeprefix(f"{kind}-") for path in folder.glob(f"{kind}-*")}


def session_of(service: Service, user: str = "admin", password: str = "secret") -> str:
    headers = {"X-Simplestack-Hypervisor-Token": token(user, password)}
    answer = service.get("/own/h/guests/1", headers=headers)
    assert answer.status == 200, answer
    name: str = answer.json["id"]
    return name


def test_a_session_is_used_again_by_its_owner_and_by_nobody_else(service: Service) -> None:
    first = session_of(service)
    assert session_of(service) == first
    assert session_of(service, "other") != first
    answer = service.get(
        "/own/h/guests/1", headers={"X-Simplestack-Hypervisor-Token": token("admin", "wrong")}
    )
    assert (answer.status, answer.error) == (401, "Unauthorized")


def test_a_refused_login_is_not_tried_again_at_once(service: Service, tmp_path: Path) -> None:
    headers = {"X-Simplestack-Hypervisor-Token": token("admin", "wrong")}
    for _ in range(3):
        assert service.get("/own/h/guests/1", headers=headers).status == 401
    assert len(marks(tmp_path, "refused")) == 1
    assert session_of(service)


def test_a_session_that_cannot_be_shared_serves_one_request_at_a_time(
    service: Service, tmp_path: Path
) -> None:
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(service.get("/own/h/guests/slow").status))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(marks(tmp_path, "waiting")) == 3, what="three sessions in use")
    answer = service.get("/own/h/guests/1")
    assert (answer.status, answer.error) == (503, "HypervisorUnavailable")
    assert "3 of 3 sessions" in answer.json["message"]
    assert answer.headers["retry-after"] == "10"
    (tmp_path / "go").touch()
    for thread in threads:
        thread.join()
    assert statuses == [200, 200, 200]
    assert session_of(service) in marks(tmp_path, "in")
    assert len(marks(tmp_path, "in")) == 3


def test_an_idle_session_makes_room_for_another_user(service: Service, tmp_path: Path) -> None:
    names = [session_of(service, f"user{number}") for number in range(5)]
    wait_for(lambda: len(marks(tmp_path, "out")) == 2, what="the two oldest to be logged out")
    assert marks(tmp_path, "out") == set(names[:2])
    assert service.get("/healthz").json["sessions"] == 3


def test_a_session_found_dead_is_replaced_without_the_client_noticing(
    service: Service, tmp_path: Path
) -> None:
    first = session_of(service)
    (tmp_path / f"dead-{first}").touch()
    assert session_of(service) != first
    assert marks(tmp_path, "out") == {first}


def test_a_session_that_the_hypervisor_forgot_is_replaced_without_the_client_noticing(
    service: Service, tmp_path: Path
) -> None:
    first = session_of(service)
    (tmp_path / f"expired-{first}").touch()
    assert session_of(service) != first
    assert marks(tmp_path, "out") == {first}


def test_a_new_session_that_is_forgotten_at_once_is_not_replaced_again(
    service: Service, tmp_path: Path
) -> None:
    answer = service.get("/own/h/guests/expired")
    assert (answer.status, answer.error) == (503, "HypervisorUnavailable")
    assert len(marks(tmp_path, "in")) == 2
    wait_for(lambda: marks(tmp_path, "out") == marks(tmp_path, "in"), what="both to be logged out")


def test_an_idle_session_is_logged_out_after_its_time(service: Service, tmp_path: Path) -> None:
    name = service.get("/own/brief/guests/1").json["id"]
    wait_for(lambda: marks(tmp_path, "out") == {name}, what="the session to be logged out")
    assert service.get("/healthz").json["sessions"] == 0


def test_errors_lose_no_session(service: Service, tmp_path: Path) -> None:
    for _ in range(10):
        assert service.delete("/own/h/guests/1").status == 404
        assert (
            service.put("/own/h/guests/1/power", b"{", headers={"Content-Type": "application/json"}).status
            == 400
        )
    assert len(marks(tmp_path, "in")) == 1
    service.stop()
    assert marks(tmp_path, "out") == marks(tmp_path, "in")


def test_a_client_that_leaves_in_the_middle_of_a_download_gives_the_session_back(
    service: Service, tmp_path: Path
) -> None:
    for number in range(4):
        request = (
            f"GET /own/h/guests/1/export HTTP/1.1\r\nHost: a\r\nX-Request-Id: gone-{number}\r\n"
            f"X-Simplestack-Hypervisor-Token: {token()}\r\n\r\n"
        )
        with socket.create_connection(service.address, timeout=20) as connection:
            connection.sendall(request.encode())
            assert connection.recv(1000)
        line = service.audit_of(f"gone-{number}")
        assert (line["operation"], line["outcome"]) == ("guest_export", "ClientDisconnected")
    assert session_of(service) in marks(tmp_path, "in")
    service.stop()
    assert marks(tmp_path, "out") == marks(tmp_path, "in")


def test_a_graceful_stop_finishes_requests_in_flight(service: Service, tmp_path: Path) -> None:
    statuses: list[int] = []
    thread = threading.Thread(target=lambda: statuses.append(service.get("/own/h/guests/slow").status))
    thread.start()
    wait_for(lambda: marks(tmp_path, "waiting"), what="the request to be in flight")
    service.process.terminate()
    wait_for(lambda: "Handling signal: term" in service.log, what="the service to stop")
    (tmp_path / "go").touch()
    thread.join()
    assert statuses == [200]
    assert service.process.wait(20) == 0
    assert marks(tmp_path, "out") == marks(tmp_path, "in")
