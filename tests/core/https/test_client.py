"""Requests on kept connections: what is repeated when they break, and what never is."""

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator

import pytest

from simplestack import (
    UNKNOWN_OUTCOME,
    HttpsClient,
    HttpsRequest,
    HypervisorError,
    HypervisorTimeout,
    HypervisorUnavailable,
    Target,
    TlsSettings,
)
from simulators.tls import Trust, fingerprint
from support.peers import answer, peer, read_request

READ = HttpsRequest("List", "/", b"list", is_read=True)
CHANGE = HttpsRequest("Start", "/", b"start")
REPEATABLE = HttpsRequest("Rename", "/", b"rename", is_repeatable=True)


class Host:
    """A host that answers ``ok``, and breaks connections when it is told to."""

    def __init__(self) -> None:
        self.connections: list[socket.socket] = []
        self.requests: list[bytes] = []
        #: How many requests break their connection, before or after they are read.
        self.breaks = 0
        self.headers = b""

    def __call__(self, connection: socket.socket) -> None:
        self.connections.append(connection)
        while True:
            self.requests.append(read_request(connection))
            if self.breaks:
                self.breaks -= 1
                return
            connection.sendall(answer(b"ok").replace(b"\r\n\r\n", b"\r\n" + self.headers + b"\r\n"))


@pytest.fixture
def host() -> Host:
    return Host()


@contextlib.contextmanager
def serving(host: Host, trust: Trust, settings: TlsSettings, max_idle: int = 1) -> Iterator[HttpsClient]:
    with peer(host, trust) as port:
        client = HttpsClient(Target("127.0.0.1", port), settings, max_idle=max_idle)
        yield client
        client.close()


@pytest.fixture
def client(host: Host, trust: Trust, settings: TlsSettings) -> Iterator[HttpsClient]:
    with serving(host, trust, settings) as client:
        yield client


def send(client: HttpsClient, request: HttpsRequest, limit_seconds: float = 10) -> bytes:
    return client.send(request, lambda response: response.read(), limit_seconds)


def test_one_connection_serves_requests_one_after_the_other(host: Host, client: HttpsClient) -> None:
    assert [send(client, request) for request in (READ, CHANGE, REPEATABLE)] == [b"ok"] * 3
    assert host.requests == [b"list", b"start", b"rename"]
    assert len(host.connections) == 1


def test_a_connection_that_the_host_has_closed_meanwhile_is_replaced(host: Host, client: HttpsClient) -> None:
    send(client, READ)
    host.connections[0].shutdown(socket.SHUT_RDWR)
    assert send(client, CHANGE) == b"ok"
    assert host.requests == [b"list", b"start"]


def test_a_connection_that_ends_with_its_response_is_not_kept(host: Host, client: HttpsClient) -> None:
    host.headers = b"Connection: close\r\n"
    for _ in range(2):
        assert send(client, CHANGE) == b"ok"
    assert len(host.connections) == 2
    assert client._idle == []


@pytest.mark.parametrize("request_", [READ, REPEATABLE])
def test_what_may_be_repeated_is_sent_once_more(
    host: Host, client: HttpsClient, request_: HttpsRequest
) -> None:
    host.breaks = 1
    assert send(client, request_) == b"ok"
    assert host.requests == [request_.body] * 2
    host.breaks = 2
    with pytest.raises(HypervisorUnavailable, match=r"the connection to .* broke twice: "):
        send(client, request_)
    assert len(host.requests) == 4


def test_a_change_is_never_sent_twice(host: Host, client: HttpsClient) -> None:
    host.breaks = 1
    with pytest.raises(
        HypervisorError, match="response to Start: whether it took effect is unknown"
    ) as error:
        send(client, CHANGE)
    assert error.value.details["code"] == UNKNOWN_OUTCOME
    assert host.requests == [b"start"]
    assert send(client, CHANGE) == b"ok"


def test_a_silent_host_is_a_time_out(trust: Trust, settings: TlsSettings) -> None:
    def silent(connection: socket.socket) -> None:
        read_request(connection)
        connection.recv(1)

    with peer(silent, trust) as port:
        client = HttpsClient(Target("127.0.0.1", port), settings)
        with pytest.raises(HypervisorTimeout, match=r"did not respond to List within 0.3 s$"):
            send(client, READ, 0.3)
        for change in (CHANGE, REPEATABLE):
            with pytest.raises(HypervisorTimeout, match=r"within 0.3 s; whether it took effect is unknown"):
                send(client, change, 0.3)


def test_a_response_that_is_not_read_to_its_end_is_not_taken_for_the_next_one(
    trust: Trust, settings: TlsSettings
) -> None:
    begun = answer(b"old").removesuffix(b"old")

    def script(connection: socket.socket) -> None:
        is_first = read_request(connection) == b"list"
        connection.sendall(begun if is_first else answer(b"new"))
        connection.recv(1)

    def fail(_response: http.client.HTTPResponse) -> None:
        raise ZeroDivisionError

    with peer(script, trust) as port:
        client = HttpsClient(Target("127.0.0.1", port), settings)
        with pytest.raises(ZeroDivisionError):
            client.send(READ, fail, 10)
        assert send(client, CHANGE) == b"new"
        client.close()


def test_threads_have_connections_of_their_own_and_some_are_kept(
    host: Host, trust: Trust, settings: TlsSettings
) -> None:
    meeting = threading.Barrier(3)

    def read(response: http.client.HTTPResponse) -> bytes:
        meeting.wait(30)
        return response.read()

    with serving(host, trust, settings, max_idle=2) as client:
        threads = [threading.Thread(target=client.send, args=(READ, read, 30)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(host.connections) == 3
        assert len(client._idle) == 2
        client.close()
        assert client._idle == []
        assert send(client, READ) == b"ok"


def test_a_certificate_that_changes_is_rejected(host: Host, trust: Trust, stranger: Trust) -> None:
    pinned = TlsSettings(tls_fingerprint=fingerprint(trust.certificate))
    with serving(host, trust, pinned) as client:
        assert send(client, READ) == b"ok"
    with serving(host, stranger, pinned) as client:
        for _ in range(2):
            with pytest.raises(HypervisorUnavailable, match="fingerprint of its certificate"):
                send(client, CHANGE)
    assert host.requests == [b"list"]


def test_the_method_follows_from_the_body_unless_it_is_given(host: Host, client: HttpsClient) -> None:
    methods = []

    def read(response: http.client.HTTPResponse) -> None:
        methods.append(response._method)  # type: ignore[attr-defined]  # what was sent
        response.read()

    empty = {"Content-Length": "0"}
    for request in (HttpsRequest("a", "/", None, empty), CHANGE, HttpsRequest("c", "/", b"", {}, "PUT")):
        client.send(request, read, 10)
    assert methods == ["GET", "POST", "PUT"]


def test_a_request_does_not_show_its_secrets() -> None:
    request = HttpsRequest("Login", "/", b"secret", {"Cookie": "secret"})
    assert "secret" not in repr(request)
