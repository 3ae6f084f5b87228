"""Workers whose threads are busy, or cannot be started: nobody waits for uploads that are rejected."""

import contextlib
import http.client
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from support.distributions import install
from support.service import Service, running_service, token, wait_for

SOON_SECONDS = 20
TOKEN = f"X-Simplestack-Hypervisor-Token: {token()}\r\n"
#: `guest_list` lets the worker start no more threads, as a machine does that has no room for one.
PLUGIN = """
import os
from pathlib import Path

folder = Path(os.environ["BUSY_FOLDER"])
start = threading.Thread.start

def start_none(thread):
    if thread.name.startswith("ThreadPoolExecutor"):
        raise RuntimeError("can't start new thread")
    start(thread)

def connect(target, credentials, settings):
    return target.name

@hookimpl
def guest_list(session):
    threading.Thread.start = start_none
    return []

@hookimpl
def tag_list(session, guest_id):  # more than the kernel keeps of a response
    return ["x" * 60_000] * 200

@hookimpl
def host_list(session):
    (folder / "waits").touch()
    while not (folder / "let-go").exists():
        time.sleep(0.02)
    return []

plugin = HypervisorPlugin(name="busy", title="Busy", connect=connect, hooks=(me,),
                          disconnect=lambda session: None, settings=HypervisorSettings)
"""


@contextlib.contextmanager
def running(folder: Path, config: str) -> Iterator[Service]:
    install(folder / "plugins", "busy", PLUGIN)
    environment = {"BUSY_FOLDER": str(folder)}
    with running_service(folder, config, plugins=folder / "plugins", environment=environment) as service:
        yield service


def waits(service: Service) -> bool:
    """Return whether a request waits for a thread."""
    try:
        service.get("/healthz", timeout_seconds=1)
    except TimeoutError:
        return True
    return False


def connected(service: Service, stack: contextlib.ExitStack) -> socket.socket:
    return stack.enter_context(socket.create_connection(service.address, timeout=SOON_SECONDS))


class Upload(threading.Thread):
    """An upload to nowhere that goes on at 1 MB/s until it is told to read its response."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__(daemon=True)
        self._connection = connection
        self._enough = threading.Event()
        self.pieces = self.status = 0
        self.start()

    def run(self) -> None:
        head = f"POST /nowhere/at/all HTTP/1.1\r\nHost: a\r\n{TOKEN}Content-Length: 100000000\r\n\r\n"
        self._connection.sendall(head.encode())
        while not self._enough.wait(0.1):
            self._connection.sendall(bytes(100_000))
            self.pieces += 1
        with contextlib.closing(http.client.HTTPResponse(self._connection)) as response:
            response.begin()
            self.status = response.status

    def end(self) -> int:
        """Return the status of the response."""
        self._enough.set()
        self.join(SOON_SECONDS)
        return self.status


def test_rejected_uploads_hold_no_threads_and_get_their_response(tmp_path: Path) -> None:
    with (
        running_service(tmp_path, "[server]\nworkers = 1\nthreads = 2\n") as service,
        contextlib.ExitStack() as stack,
    ):
        uploads = [Upload(connected(service, stack)) for _ in range(8)]
        wait_for(lambda: all(upload.pieces > 4 for upload in uploads), what="the uploads to be rejected")
        for _ in range(5):
            assert service.get("/healthz").status == 200
        assert max(upload.pieces for upload in uploads) < 80, "it did not wait for them"
        assert [upload.end() for upload in uploads] == [404] * 8


def test_connections_are_given_back_where_no_thread_can_be_started(tmp_path: Path) -> None:
    with running(tmp_path, "[server]\nworkers = 1\nthreads = 4\n") as service:
        assert service.get("/busy/h/guests").status == 200
        with contextlib.ExitStack() as stack:
            waiting = [connected(service, stack) for _ in range(8)]
            for connection in waiting:
                connection.sendall(f"GET /busy/h/storages HTTP/1.1\r\nHost: a\r\n{TOKEN}\r\n".encode())
            for connection in waiting:
                assert connection.recv(65536).startswith(b"HTTP/1.1 ")
        (worker,) = psutil.Process(service.process.pid).children()
        wait_for(
            lambda: not [one for one in worker.net_connections() if one.status == "CLOSE_WAIT"],
            what="the connections to be closed",
        )
        assert service.stop() == 0
    assert "Traceback" not in service.log
    assert "cannot start a thread" in service.log


def test_what_a_stopping_worker_cuts_off_is_in_the_log(tmp_path: Path) -> None:
    config = "[server]\nworkers = 1\nthreads = 2\ngraceful_timeout_seconds = 4\n"
    with (
        running(tmp_path, config) as service,
        contextlib.ExitStack() as stack,
    ):
        unread = stack.enter_context(socket.socket())
        unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        unread.connect(service.address)
        head = f"HTTP/1.1\r\nHost: a\r\n{TOKEN}"
        unread.sendall(f"GET /busy/h/guests/1/tags {head}X-Request-Id: unread-1\r\n\r\n".encode())
        service.audit_of("unread-1")
        calls = connected(service, stack)
        calls.sendall(f"GET /busy/h/hosts {head}X-Request-Id: busy-1\r\n\r\n".encode())
        sends = connected(service, stack)
        sends.sendall(
            f"POST /mock/demo/guests {head}Content-Length: 500000\r\n\r\n{{".encode() + b" " * 70_000
        )
        wait_for(lambda: waits(service), what="both threads to be busy")
        os.kill(service.process.pid, signal.SIGTERM)
        assert service.process.wait(SOON_SECONDS) == 0
        (line,) = [line for line in service.log.splitlines() if "cut off: " in line and "stopping" in line]
        assert "unread-1" in line
        assert "busy-1" in line
        assert "not started: all threads were busy" in service.log


@pytest.mark.parametrize("leaves", [True, False], ids=["leaves", "does-not-read"])
def test_a_list_that_its_client_does_not_take_is_one_line_with_the_id(tmp_path: Path, leaves: bool) -> None:
    limits = "min_client_bytes_per_second = 1000\nslow_client_window_seconds = 1\n"
    with running(tmp_path, f"[server]\nworkers = 1\n{limits}") as service:
        with socket.socket() as unread:
            unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            unread.connect(service.address)
            head = f"GET /busy/h/guests/1/tags HTTP/1.1\r\nHost: a\r\nX-Request-Id: unread-2\r\n{TOKEN}\r\n"
            unread.sendall(head.encode())
            service.audit_of("unread-2")
            if not leaves:
                wait_for(lambda: "request unread-2: " in service.log, what="the line")
        wait_for(lambda: "request unread-2: " in service.log, what="the line")
        (line,) = [line for line in service.log.splitlines() if "request unread-2: " in line]
        assert ("the client disconnected" if leaves else "the client was cut off") in line
        assert leaves or line.endswith("of the response: it reads too slowly")
