"""Clients that are slow, silent or many: they are cut off in time, and nobody else waits for them."""

import contextlib
import http.client
import json
import resource
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from support.distributions import install
from support.service import Service, running_service, token
from support.slow_clients import (
    CHUNKED_BODY,
    EXPECTED_BODY,
    HEAD,
    LONG_BODY,
    SHORT_BODY,
    SlowClients,
    slow_clients,
)

#: More than a service needs that waits for nobody.
SOON_SECONDS = 15
MIB = 1024**2
TOKEN = f"X-Simplestack-Hypervisor-Token: {token()}\r\n"
GET = f"GET /mock/demo/guests?fields=id HTTP/1.1\r\nHost: a\r\n{TOKEN}"
UPLOAD = f"POST /mock/demo/guests HTTP/1.1\r\nHost: a\r\n{TOKEN}Content-Type: application/octet-stream\r\n"
NEW_GUEST = json.dumps({"name": "slow", "memory": 64}).encode()
CREATE = f"POST /mock/demo/guests HTTP/1.1\r\nHost: a\r\n{TOKEN}Content-Type: application/json\r\n"

#: Limits that a test can wait for.
STRICT = """
[server]
workers = 1
threads = 4
request_head_timeout_seconds = 1
min_client_bytes_per_second = 1000
slow_client_window_seconds = 1
keep_alive_seconds = 2
"""
#: One place for a slow client, who is given much time.
NARROW = """
[server]
workers = 1
threads = 2
"""
EXPORTS = """
def connect(target, credentials, settings):
    return target.name

@hookimpl
def guest_export(session, guest_id):
    def chunks():
        while True:
            yield b"x" * 1_000_000
    return Export(chunks())

plugin = HypervisorPlugin(name="endless", title="Endless", connect=connect, hooks=(me,),
                          disconnect=lambda session: None, settings=HypervisorSettings)
"""


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("strict")
    install(folder / "plugins", "endless", EXPORTS)
    with running_service(folder, STRICT, plugins=folder / "plugins") as service:
        yield service


@contextlib.contextmanager
def connected(service: Service) -> Iterator[socket.socket]:
    with contextlib.closing(service.connection(SOON_SECONDS)) as connection:
        connection.connect()
        yield connection.sock


def response_on(connection: socket.socket) -> http.client.HTTPResponse:
    response = http.client.HTTPResponse(connection)
    response.begin()
    return response


def error_on(connection: socket.socket) -> tuple[int, str]:
    """Return the status and the name of an error, and see that it is the last of the connection."""
    response = response_on(connection)
    body = json.loads(response.read())
    assert body["message"]
    assert body["request_id"] == response.headers["x-request-id"]
    assert response.headers["content-type"] == "application/json"
    assert response.headers["connection"] == "close"
    assert connection.recv(1) == b""
    return response.status, body["error"]


def is_served(service: Service) -> None:
    """See that others are served, on new connections and on one that is kept."""
    for _ in range(5):
        answer = service.get("/mock/demo/guests?fields=id", timeout_seconds=SOON_SECONDS)
        assert answer.status == 200
    with contextlib.closing(service.connection(SOON_SECONDS)) as kept:
        for _ in range(20):
            kept.request("GET", "/mock/demo/guests?fields=id", headers=service.default_headers)
            assert kept.getresponse().read()


@pytest.mark.parametrize(
    "first",
    [b"", HEAD, LONG_BODY, SHORT_BODY, CHUNKED_BODY, EXPECTED_BODY],
    ids=["nothing", "header", "long-body", "short-body", "chunked-body", "expected-body"],
)
def test_200_clients_that_send_a_byte_a_second_hold_nobody_up(service: Service, first: bytes) -> None:
    with slow_clients(service.address, 200, first):
        is_served(service)


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that speaks TLS."""
    folder = tmp_path_factory.mktemp("secure")
    authority = trustme.CA()
    both = folder / "both.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(both)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    files = f'certificate = "{both}"\nprivate_key = "{both}"\n'
    with running_service(folder, STRICT + files, tls=context) as service:
        yield service


@pytest.mark.parametrize(
    ("first", "shakes_hands"),
    [(b"", False), (b"\x16\x03\x01\x02\x00\x01", False), (b"", True), (HEAD, True), (LONG_BODY, True)],
    ids=["no-handshake", "half-a-handshake", "nothing", "header", "body"],
)
def test_clients_that_are_slow_over_tls_hold_nobody_up(
    secure: Service, first: bytes, shakes_hands: bool
) -> None:
    with SlowClients(secure.address, 50, first, tls=secure.tls if shakes_hands else None):
        is_served(secure)


def test_a_handshake_that_takes_too_long_is_cut_off(secure: Service) -> None:
    with socket.create_connection(secure.address, timeout=SOON_SECONDS) as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00\x01")
        assert connection.recv(1) == b""


def test_large_bodies_and_responses_pass_through_tls(secure: Service) -> None:
    image = b"QFI\xfb" + bytes(3 * MIB)
    made = secure.post("/mock/demo/guests", image, headers={"Content-Type": "application/octet-stream"})
    assert made.status == 201
    exported = secure.get(f"{made.headers['location']}/export")
    assert len(exported.body) == int(exported.headers["content-length"]) > MIB
    assert secure.delete(made.headers["location"]).status == 204


def test_a_request_behind_a_large_body_in_the_same_tls_record_is_answered(secure: Service) -> None:
    image = b"QFI\xfb" + bytes(300_001)
    with connected(secure) as connection:
        connection.sendall(f"{UPLOAD}Content-Length: {len(image)}\r\n\r\n".encode())
        connection.sendall(image[:200_000])
        connection.sendall(image[200_000:300_000])
        connection.sendall(image[300_000:] + f"{GET}Connection: close\r\n\r\n".encode())
        first = response_on(connection)
        assert (first.status, json.loads(first.read())["state"]) == (201, "STOPPED")
        assert response_on(connection).read().startswith(b"[")


@pytest.mark.parametrize("sent", [b"G", HEAD, GET.encode()], ids=["a-byte", "half", "all-but-the-end"])
def test_a_header_that_does_not_end_in_time_is_408(strict: Service, sent: bytes) -> None:
    with connected(strict) as connection:
        connection.sendall(sent)
        assert error_on(connection) == (408, "RequestTimeout")


def test_bytes_that_go_on_coming_do_not_lengthen_the_time_for_a_header(strict: Service) -> None:
    with connected(strict) as connection:
        connection.sendall(HEAD)
        connection.settimeout(0.1)
        received = b""
        for _ in range(10 * SOON_SECONDS):
            with contextlib.suppress(TimeoutError):
                received = connection.recv(65536)
                break
            connection.sendall(b"a")
        assert received.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("together", [False, True], ids=["later", "with-the-first"])
def test_the_second_header_on_a_connection_has_to_end_in_time_too(strict: Service, together: bool) -> None:
    with connected(strict) as connection:
        first = f"{GET}\r\n".encode()
        connection.sendall(first + HEAD if together else first)
        assert response_on(connection).read().startswith(b"[")
        if not together:
            connection.sendall(HEAD)
        assert error_on(connection) == (408, "RequestTimeout")


def test_a_client_that_says_nothing_is_left_in_silence_until_its_connection_is_closed(
    strict: Service,
) -> None:
    with connected(strict) as new, connected(strict) as kept:
        kept.sendall(f"{GET}\r\n".encode())
        assert response_on(kept).read().startswith(b"[")
        assert (new.recv(1), kept.recv(1)) == (b"", b"")


def test_a_request_in_small_pieces_is_answered(service: Service) -> None:
    chunked = b"%x;a=b\r\n%s\r\n0\r\nX-After: 1\r\n\r\n" % (len(NEW_GUEST), NEW_GUEST)
    requests = [
        f"{CREATE}Content-Length: {len(NEW_GUEST)}\r\n\r\n".encode() + NEW_GUEST,
        f"{CREATE}Transfer-Encoding: chunked\r\n\r\n".encode() + chunked,
    ]
    with connected(service) as connection:
        for request in requests:
            for byte in request:
                connection.sendall(bytes([byte]))
            response = response_on(connection)
            made = json.loads(response.read())
            assert (response.status, made["name"]) == (201, "slow")
            assert service.delete(f"/mock/demo/guests/{made['id']}").status == 204


@pytest.mark.parametrize("length", [len(NEW_GUEST), 100_000])
def test_a_client_that_waits_for_100_continue_gets_it_once(service: Service, length: int) -> None:
    with connected(service) as connection:
        head = f"{CREATE}Expect: 100-continue\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(NEW_GUEST.ljust(length))
        rest = b"".join(iter(lambda: connection.recv(65536), b""))
    assert rest.startswith(b"HTTP/1.1 201 ")
    made = json.loads(rest.partition(b"\r\n\r\n")[2])
    assert service.delete(f"/mock/demo/guests/{made['id']}").status == 204


@pytest.mark.parametrize(
    "malformed",
    [b"GET /\r\n", b"GET / HTTP/1.1\nHost: a\n", b"GET / HTTP/1.1\r\nHost: a\n", b"x" * 9000],
    ids=["no-version", "bare-line-feed", "bare-line-feed-later", "long-line"],
)
def test_a_header_that_is_malformed_already_is_rejected_before_it_ends(
    service: Service, malformed: bytes
) -> None:
    with connected(service) as connection:
        connection.sendall(malformed)
        status, error = error_on(connection)
    assert (status, error) == (414 if len(malformed) > 8192 else 400, "InvalidArguments")


def test_a_header_that_is_too_long_is_431(service: Service) -> None:
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"x" * 8000) for number in range(9))
    with connected(service) as connection:
        connection.sendall(f"{GET}".encode() + lines)
        assert error_on(connection) == (431, "InvalidArguments")


@pytest.mark.parametrize("service_name", ["strict", "secure"])
@pytest.mark.parametrize("arrived", [1, 100_000], ids=["at-its-begin", "in-its-middle"])
def test_an_upload_below_the_least_rate_is_408_and_makes_no_guest(
    request: pytest.FixtureRequest, service_name: str, arrived: int
) -> None:
    service: Service = request.getfixturevalue(service_name)
    before = service.get("/mock/demo/guests").json
    with connected(service) as connection:
        connection.sendall(f"{UPLOAD}Content-Length: 3000000\r\n\r\nQFI".encode() + bytes(arrived))
        assert error_on(connection) == (408, "RequestTimeout")
    assert service.get("/mock/demo/guests").json == before


def test_an_upload_that_is_slow_and_above_the_least_rate_is_taken(strict: Service) -> None:
    image = b"QFI\xfb" + bytes(160_000)
    with connected(strict) as connection:
        connection.sendall(f"{UPLOAD}Content-Length: {len(image)}\r\n\r\n".encode())
        for start in range(0, len(image), 8000):
            connection.sendall(image[start : start + 8000])
            time.sleep(0.15)  # a slow client is what is tested: its pace is the input
        assert response_on(connection).status == 201


def test_slow_clients_leave_threads_to_others_and_those_without_a_place_are_told_to_come_back(
    tmp_path: Path,
) -> None:
    with running_service(tmp_path, NARROW.replace("threads = 2", "threads = 4")) as service:
        with contextlib.ExitStack() as stack:
            slow = [stack.enter_context(connected(service)) for _ in range(8)]
            for number, connection in enumerate(slow):
                head = UPLOAD.replace("/demo/", f"/demo-{number}/") + "Content-Length: 3000000\r\n\r\nQFI"
                connection.sendall(head.encode() + bytes(70_000))
            ended = []
            for connection in slow:
                connection.settimeout(1)
                with contextlib.suppress(TimeoutError):
                    response = response_on(connection)
                    assert response.headers["retry-after"].isdigit()
                    ended.append((response.status, json.loads(response.read())["error"]))
            # The host's own share of the threads ends some of them first.
            assert {status for status, _ in ended} == {503}
            assert "ServiceBusy" in {name for _, name in ended} <= {"ServiceBusy", "HypervisorUnavailable"}
            assert len(ended) >= 6
            is_served(service)
        image = b"QFI\xfb" + bytes(100_000)
        for _ in range(3):  # each of them needs one of two places, and gives it back
            with connected(service) as connection:
                connection.sendall(f"{UPLOAD}Content-Length: {len(image)}\r\n\r\n".encode() + image[:-1])
                time.sleep(0.5)  # a client that pauses is what is tested
                connection.sendall(image[-1:])
                assert response_on(connection).status == 201


def test_a_rejected_upload_that_goes_on_slowly_holds_no_thread(tmp_path: Path) -> None:
    with running_service(tmp_path, NARROW) as service, contextlib.ExitStack() as stack:
        for _ in range(8):
            connection = stack.enter_context(connected(service))
            head = f"POST /nowhere/at/all HTTP/1.1\r\nHost: a\r\n{TOKEN}Content-Length: 3000000\r\n\r\n"
            connection.sendall(head.encode() + bytes(70_000))
        is_served(service)


def test_a_client_that_does_not_read_its_export_is_cut_off(strict: Service) -> None:
    with connected(strict) as connection:
        head = f"GET /endless/h/guests/1/export HTTP/1.1\r\nHost: a\r\nX-Request-Id: unread\r\n{TOKEN}\r\n"
        connection.sendall(head.encode())
        assert strict.audit_of("unread")["outcome"] == "ClientDisconnected"
        (line,) = [line for line in strict.log.splitlines() if "request unread: " in line]
        assert "the client was cut off after " in line
        assert "less than 1000 bytes/s over 1 s" in line
        with pytest.raises(ConnectionResetError):
            all(iter(lambda: connection.recv(MIB), b""))
    assert "Traceback" not in strict.log


def test_clients_that_do_not_read_a_list_hold_no_thread_and_get_it_when_they_do(
    tmp_path: Path,
) -> None:
    with running_service(tmp_path, f"{NARROW}[hypervisors.mock]\nseed_guests = 15000\n") as service:
        expected = service.get("/mock/demo/guests").body
        with contextlib.ExitStack() as stack:
            slow = []
            for _ in range(4):
                connection = stack.enter_context(socket.socket())
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                connection.settimeout(60)
                connection.connect(service.address)
                connection.sendall(f"GET /mock/demo/guests HTTP/1.1\r\nHost: a\r\n{TOKEN}\r\n".encode())
                slow.append(connection)
            assert service.get("/healthz", timeout_seconds=60).status == 200
            assert response_on(slow[0]).read() == expected


def test_a_client_that_keeps_a_finished_connection_open_holds_nobody_up(service: Service) -> None:
    with contextlib.ExitStack() as stack:
        open_ones = [stack.enter_context(connected(service)) for _ in range(60)]
        for connection in open_ones:
            connection.sendall(f"{GET}Connection: close\r\n\r\n".encode())
        is_served(service)
        for connection in open_ones:
            assert response_on(connection).read().startswith(b"[")


def test_idle_clients_make_room_when_connections_run_out(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, before[1]))  # of which the service may use half
    try:
        service_runs = running_service(tmp_path, "[server]\nworkers = 1\n")
        service = service_runs.__enter__()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    try:
        with contextlib.ExitStack() as stack:
            idle = [stack.enter_context(connected(service)) for _ in range(300)]
            is_served(service)
            assert idle[0].recv(1) == b""
            idle[-1].sendall(f"{GET}\r\n".encode())
            assert response_on(idle[-1]).read().startswith(b"[")
        assert "too many connections" in service.log
    finally:
        service_runs.__exit__(None, None, None)


def test_clients_that_are_slow_to_ask_do_not_keep_the_service_from_ending(tmp_path: Path) -> None:
    with (
        running_service(tmp_path, "[server]\ngraceful_timeout_seconds = 600\n") as service,
        slow_clients(service.address, 20, HEAD, LONG_BODY),
    ):
        assert service.stop() == 0
