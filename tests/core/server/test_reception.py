"""The main loop's part in serving connections, with real sockets and a clock of the test's."""

import contextlib
import errno
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from selectors import EVENT_WRITE, DefaultSelector, SelectorKey
from typing import Any

import pytest
from gunicorn.config import Config

from simplestack.server.client_socket import ClientSocket
from simplestack.server.connection import Connection, Stage
from simplestack.server.patience import ClientLimits
from simplestack.server.reception import Reception

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Lab:
    """A reception without a worker: the test takes the place of the threads."""

    def __init__(self, stack: contextlib.ExitStack, poller: DefaultSelector, **limits: float) -> None:
        self._stack = stack
        self._limits = ClientLimits(
            **{
                "head_timeout_seconds": 10,
                "keep_alive_seconds": 75,
                "least_bytes_per_second": 1000,
                "window_seconds": 60,
                "places": threading.BoundedSemaphore(2),
                **limits,
            }  # type: ignore[arg-type]  # of several types
        )
        self.poller = poller
        self.begun: list[Connection] = []
        self.reception = Reception(poller, self._limits, self.begun.append)

    def connect(self) -> tuple[socket.socket, Connection]:
        """Return both ends of a new connection, its client's first."""
        client, served = socket.socketpair()
        self._stack.callback(client.close)
        client.settimeout(20)
        conn = Connection(Config(), ClientSocket(served, self._limits), ("127.0.0.1", 1), ("127.0.0.1", 2))
        self._stack.callback(conn.sock.close)
        self.reception.welcome(conn)
        return client, conn

    def request(self) -> tuple[socket.socket, Connection]:
        """Return both ends of a connection whose request a thread has."""
        client, conn = self.connect()
        client.sendall(REQUEST)
        self.turn()
        assert self.begun.pop() is conn
        conn.sock.arrived.clear()
        return client, conn

    def leave(self, conn: Connection, response: bytes) -> None:
        """Leave a response to the main loop, as a thread does."""
        conn.sock.sends_last = True
        conn.sock.sendall(response)
        self.reception.take_back(conn, keep=True)

    def turn(self) -> None:
        """Take what has happened."""
        for key, _ in self.poller.select(0):
            key.data(key.fileobj)


@pytest.fixture
def lab() -> Iterator[Callable[..., Lab]]:
    with contextlib.ExitStack() as stack:

        def make(poller: DefaultSelector | None = None, **limits: float) -> Lab:
            chosen = DefaultSelector() if poller is None else poller
            stack.callback(chosen.close)
            return Lab(stack, chosen, **limits)

        yield make


def test_a_finished_connection_makes_room_before_an_idle_one(lab: Callable[..., Lab]) -> None:
    found = lab()
    _, idle = found.connect()
    _, finished = found.request()
    found.reception.take_back(finished, keep=False)
    assert (idle.stage, finished.stage) == (Stage.IDLE, Stage.CLOSING)
    assert found.reception.drop_longest()
    assert (finished.sock.fileno(), idle.sock.fileno() >= 0) == (-1, True)


def test_a_connection_that_was_kept_stays_open_for_a_moment_after_its_response(
    lab: Callable[..., Lab],
) -> None:
    found = lab()
    client, conn = found.request()
    found.reception.end_within(0.2)
    time.sleep(0.3)  # the moment that began with the signal is over
    found.leave(conn, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n")
    found.reception.check_deadlines(time.monotonic())
    client.sendall(REQUEST)
    found.turn()
    assert found.begun == [conn]


def test_an_idle_connection_is_closed_when_that_moment_is_over(lab: Callable[..., Lab]) -> None:
    found = lab()
    client, _ = found.connect()
    found.reception.end_within(0.2)
    found.reception.check_deadlines(time.monotonic() + 0.3)
    assert client.recv(1) == b""
    assert found.reception.count == 0


def test_a_connection_that_cannot_be_watched_is_dropped(lab: Callable[..., Lab]) -> None:
    class Full(DefaultSelector):
        def register(self, *_: Any) -> SelectorKey:
            raise OSError(errno.ENOSPC, "no space for another watch")

    found = lab(Full())
    client, _ = found.connect()
    assert client.recv(1) == b""
    assert found.reception.count == 0


def test_a_client_has_time_for_its_first_request_where_connections_are_not_kept(
    lab: Callable[..., Lab],
) -> None:
    found = lab(keep_alive_seconds=0)
    client, conn = found.connect()
    found.reception.check_deadlines(time.monotonic() + 5)
    client.sendall(REQUEST)
    found.turn()
    assert found.begun == [conn]


MIB = 1024**2


def test_the_oldest_responses_go_when_clients_leave_too_much_unread(lab: Callable[..., Lab]) -> None:
    found = lab()
    pairs = [found.request() for _ in range(9)]
    for _, conn in pairs:
        found.leave(conn, bytes(10 * MIB))
    unread = [conn.sock.fileno() >= 0 for _, conn in pairs]
    assert unread == [False] * 3 + [True] * 6
    assert found.reception.count == 6
    assert len(b"".join(iter(lambda: pairs[0][0].recv(MIB), b""))) < 10 * MIB


def test_a_response_of_any_size_is_sent_to_a_client_that_reads_it(lab: Callable[..., Lab]) -> None:
    found = lab()
    client, conn = found.request()
    found.leave(conn, bytes(100 * MIB))
    left = 100 * MIB
    while left:
        left -= len(client.recv(MIB))
        found.turn()
    for _, conn in [found.request() for _ in range(2)]:  # what is read does not count any more
        found.leave(conn, bytes(40 * MIB))
    assert found.reception.count == 2


def test_what_is_dropped_for_another_reason_does_not_count_any_more(lab: Callable[..., Lab]) -> None:
    found = lab()
    for _ in range(3):
        client, conn = found.request()
        found.leave(conn, bytes(40 * MIB))
        client.close()
        found.turn()
        assert found.reception.count == 0


def test_a_response_that_was_sent_is_not_kept_in_memory(lab: Callable[..., Lab]) -> None:
    found = lab()
    _, at_once = found.request()
    found.leave(at_once, bytes(10_000))
    client, in_parts = found.request()
    found.leave(in_parts, bytes(4 * MIB))
    left = 4 * MIB
    while left:
        left -= len(client.recv(MIB))
        found.turn()
    for conn in (at_once, in_parts):
        assert conn.stage is Stage.IDLE
        assert conn.sock.unsent.obj == b""


def test_tls_that_has_to_write_before_it_reads_is_watched_for_that(lab: Callable[..., Lab]) -> None:
    found = lab()
    client, conn = found.connect()

    def wants_to_write(size: int) -> bytes:
        raise ssl.SSLWantWriteError

    receive_now, conn.sock._receive_now = conn.sock._receive_now, wants_to_write  # type: ignore[method-assign]  # for a moment
    client.sendall(REQUEST)
    found.turn()
    assert found.poller.get_key(conn.sock).events == EVENT_WRITE
    conn.sock._receive_now = receive_now  # type: ignore[method-assign]  # for a moment
    found.turn()
    assert found.begun == [conn]
