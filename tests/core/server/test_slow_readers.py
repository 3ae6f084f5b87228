"""Clients that read slowly, and above the minimum rate: they get all of their response."""

import contextlib
import http.client
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from support.distributions import install
from support.service import Service, running_service, token

MIB = 1024**2
SOON_SECONDS = 30
TOKEN = f"X-Simplestack-Hypervisor-Token: {token()}\r\n"
CONFIG = """
[server]
workers = 1
threads = 4
min_client_bytes_per_second = 1000
slow_client_window_seconds = 2
"""
#: A list and an export that are larger than what the kernel keeps of a response.
PLUGIN = """
def connect(target, credentials, settings):
    return target.name

@hookimpl
def host_list(session):
    return [Host(id="1", name="x" * 60_000, address="a") for _ in range(200)]

@hookimpl
def guest_export(session, guest_id):
    return Export(iter([bytes(12_000_000), b"end"]))

plugin = HypervisorPlugin(name="large", title="Large", connect=connect, hooks=(me,),
                          disconnect=lambda session: None, settings=HypervisorSettings)
"""


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("secure")
    authority = trustme.CA()
    both = folder / "both.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(both)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    install(folder / "plugins", "large", PLUGIN)
    files = f'certificate = "{both}"\nprivate_key = "{both}"\n'
    with running_service(folder, CONFIG + files, plugins=folder / "plugins", tls=context) as service:
        yield service


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("plain")
    install(folder / "plugins", "large", PLUGIN)
    with running_service(folder, CONFIG, plugins=folder / "plugins") as service:
        yield service


@contextlib.contextmanager
def connected(service: Service) -> Iterator[socket.socket]:
    """Connect with a small receive buffer, so that the service has to wait for its client."""
    with socket.socket() as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        plain.settimeout(SOON_SECONDS)
        plain.connect(service.address)
        if service.tls is None:
            yield plain
            return
        with service.tls.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
            yield connection


def ask(connection: socket.socket, path: str) -> http.client.HTTPResponse:
    head = f"GET /large/h/{path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{TOKEN}\r\n"
    connection.sendall(head.encode())
    response = http.client.HTTPResponse(connection)
    response.begin()
    return response


def read_slowly(response: http.client.HTTPResponse) -> bytes:
    """Read 12 MB in 6 s or more: much longer than a window."""
    parts = []
    while part := response.read(16 * 1024):
        parts.append(part)
        time.sleep(0.008)  # a slow client is what is tested: its pace is the input
    return b"".join(parts)


@pytest.mark.parametrize("path", ["hosts", "guests/1/export"], ids=["list", "export"])
def test_a_response_that_is_read_slowly_over_tls_comes_to_its_end(secure: Service, path: str) -> None:
    expected = secure.get(f"/large/h/{path}").body
    assert len(expected) > 12_000_000
    with connected(secure) as connection, contextlib.closing(ask(connection, path)) as response:
        assert read_slowly(response) == expected


def test_a_list_is_not_cut_off_while_what_the_kernel_keeps_of_it_is_read(plain: Service) -> None:
    expected = plain.get("/large/h/hosts").body
    with connected(plain) as connection, contextlib.closing(ask(connection, "hosts")) as response:
        # The kernel reports a socket as writable when a third of its buffer is free: that takes longer.
        first = [read_some(response) for _ in range(50)]
        assert b"".join(first) + response.read() == expected


def read_some(response: http.client.HTTPResponse) -> bytes:
    time.sleep(0.1)  # as above
    return response.read(10_000)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_connection_over_tls_ends_with_a_close_notify(secure: Service, version: str) -> None:
    assert secure.tls is not None
    with (
        socket.create_connection(secure.address, timeout=SOON_SECONDS) as plain,
        secure.tls.wrap_socket(plain, server_hostname="127.0.0.1", suppress_ragged_eofs=False) as connection,
    ):
        connection.sendall(f"GET /healthz HTTP/{version}\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        received = b"".join(iter(lambda: connection.recv(65536), b""))
        assert received.startswith(f"HTTP/{version} 200 ".encode())
