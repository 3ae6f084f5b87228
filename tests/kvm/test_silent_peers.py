"""Peers that are silent, gone, or something else: an error that names the phase, and no hang."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simplestack import Credentials, HypervisorTimeout, HypervisorUnavailable, SimplestackError, Target
from simplestack.identity.accounts import hash_password
from simplestack_kvm import session as sessions
from simplestack_kvm.settings import KvmSettings

ALICE = Credentials("alice", "wonder:land")
POLKIT = 2
NETWORK_TRANSPORTS = ["tcp", "tls", "ssh"]


@pytest.fixture(scope="module")
def accounts() -> dict[str, str]:
    return {ALICE.username: hash_password(ALICE.password)}


@pytest.fixture
def silent() -> Iterator[Target]:
    """Give a server that accepts and never speaks: the kernel accepts for it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield Target("127.0.0.1", server.getsockname()[1])


def test_the_addresses_that_were_allowed_are_used_and_the_name_is_not_asked_again(silent: Target) -> None:
    target = Target("name-that-nobody-has", silent.port, ("127.0.0.1",))
    settings = KvmSettings(transport="tcp", connect_timeout_seconds=0.4)
    with pytest.raises(HypervisorTimeout, match="libvirtd's response"):
        sessions.connect(target, ALICE, settings)


@pytest.fixture
def full() -> Iterator[Target]:
    """Give a server that does not even accept: its queue is full, so the kernel drops what comes."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        address = server.getsockname()
        with socket.create_connection(address), socket.socket() as other:
            other.setblocking(False)
            other.connect_ex(address)
            yield Target("127.0.0.1", address[1])


@pytest.fixture
def answering() -> Iterator[Callable[[bytes], Target]]:
    """Give a server that answers each connection with the same bytes, once it was spoken to."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen(answer: bytes) -> Target:
            def serve() -> None:
                connection, _ = server.accept()
                with connection:
                    connection.recv(64)
                    connection.sendall(answer)

            threading.Thread(target=serve, daemon=True).start()
            return Target("127.0.0.1", server.getsockname()[1])

        yield listen


def failure(target: Target, **settings: Any) -> SimplestackError:
    with pytest.raises(SimplestackError) as caught:
        sessions.connect(target, ALICE, KvmSettings(**{"connect_timeout_seconds": 0.6, **settings}))
    return caught.value


@pytest.mark.parametrize(
    ("transport", "phase"), [("tcp", "libvirtd's response"), ("tls", "TLS handshake"), ("ssh", "greeting")]
)
def test_a_peer_that_accepts_and_never_speaks_is_a_timeout(
    silent: Target, transport: str, phase: str
) -> None:
    error = failure(silent, transport=transport)
    assert isinstance(error, HypervisorTimeout)
    assert phase in error.message
    assert str(silent) in error.message


@pytest.mark.parametrize("transport", NETWORK_TRANSPORTS)
def test_a_host_that_does_not_accept_is_a_timeout(full: Target, transport: str) -> None:
    error = failure(full, transport=transport)
    assert isinstance(error, HypervisorTimeout)
    assert f"connecting to port {full.port}" in error.message


def test_a_silent_unix_socket_is_a_timeout(accounts: dict[str, str]) -> None:
    path = f"\0simplestack-test-{id(accounts)}"  # an abstract name: paths may be too long
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        error = failure(Target("localhost"), transport="unix", socket=path, accounts=accounts)
    assert isinstance(error, HypervisorTimeout)


@pytest.mark.parametrize("transport", NETWORK_TRANSPORTS)
def test_a_port_that_is_closed_is_unavailable(transport: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        target = Target("127.0.0.1", server.getsockname()[1])
    error = failure(target, transport=transport)
    assert isinstance(error, HypervisorUnavailable)
    assert "refused" in error.message


@pytest.mark.parametrize(
    ("transport", "answer"),
    [
        ("tcp", b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
        ("tcp", struct.pack(">7I", 2**31, 0x20008086, 1, 66, 1, 0, 0)),
        ("tcp", struct.pack(">9I", 36, 0x20008086, 1, 66, 1, 0, 0, 7, 0)),
        ("tls", b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
        ("ssh", b"y" * 32 * 1024),
        ("tcp", b""),
        ("tls", b""),
        ("ssh", b""),
    ],
)
def test_a_peer_that_is_something_else_is_unavailable(
    answering: Callable[[bytes], Target], transport: str, answer: bytes
) -> None:
    target = greeting_server(answer) if transport == "ssh" else answering(answer)
    assert isinstance(failure(target, transport=transport), HypervisorUnavailable)


def greeting_server(greeting: bytes) -> Target:
    """Start a server that speaks first, as sshd does, to one client."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with server:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(5)
                try:
                    connection.sendall(greeting)
                except OSError:  # the client has heard enough
                    return

    threading.Thread(target=serve, daemon=True).start()
    return Target("127.0.0.1", server.getsockname()[1])


def test_a_libvirtd_that_wants_polkit_is_refused_before_anybody_is_asked(
    answering: Callable[[bytes], Target],
) -> None:
    answer = struct.pack(">7I2I", 36, 0x20008086, 1, 66, 1, 0, 0, 1, POLKIT)
    error = failure(answering(answer), transport="tcp")
    assert isinstance(error, HypervisorUnavailable)
    assert "SASL" in error.message
