"""Connections over TLS: hosts that are not there, are silent, or cannot be trusted."""

import re
import socket
import time
from collections.abc import Callable
from http.client import IncompleteRead

import msgspec
import pytest

from simplestack import HttpsConnection, HypervisorTimeout, HypervisorUnavailable, Target, TlsSettings
from simulators.tls import Trust, fingerprint
from support.peers import peer
from support.service import free_port

SECRET = b"the password"


def wait_for_the_end(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def connected(port: int, settings: TlsSettings) -> HttpsConnection:
    connection = HttpsConnection(Target("127.0.0.1", port), settings)
    connection.connect()
    return connection


def test_nobody_there_is_unavailable(settings: TlsSettings) -> None:
    with pytest.raises(HypervisorUnavailable, match=r"cannot connect to 127.0.0.1:\d+: Connection refused"):
        connected(free_port(), settings)


def test_a_host_that_accepts_and_is_silent_is_a_time_out(settings: TlsSettings) -> None:
    impatient = msgspec.structs.replace(settings, connect_timeout_seconds=0.3)
    with (
        peer(wait_for_the_end) as port,
        pytest.raises(HypervisorTimeout, match=r"did not finish the TLS handshake within 0.3 s"),
    ):
        connected(port, impatient)


def test_half_a_handshake_is_unavailable(settings: TlsSettings) -> None:
    def half(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"\x16\x03\x03\x00\x7a\x02\x00")

    with peer(half) as port, pytest.raises(HypervisorUnavailable, match="TLS handshake failed"):
        connected(port, settings)


def test_a_host_that_does_not_speak_tls_gets_nothing(settings: TlsSettings) -> None:
    got: list[bytes] = []

    def plain(connection: socket.socket) -> None:
        got.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with peer(plain) as port, pytest.raises(HypervisorUnavailable, match="TLS handshake failed"):
        connected(port, settings).request("POST", "/", SECRET)
    assert SECRET not in b"".join(got)


def test_a_certificate_that_is_not_trusted_gets_nothing(trust: Trust, stranger: Trust) -> None:
    got: list[bytes] = []
    found = fingerprint(trust.certificate)
    with peer(lambda connection: got.append(connection.recv(65536)), trust) as port:
        for wrong in (TlsSettings(), TlsSettings(tls_ca_file=str(stranger.ca_file))):
            with pytest.raises(HypervisorUnavailable, match=r"not trusted \(.*set tls_ca_file or tls_finger"):
                connected(port, wrong).request("POST", "/", SECRET)
        for pins in ("0" * 64, ["0" * 64], []):
            with pytest.raises(HypervisorUnavailable, match=f"fingerprint of its certificate is {found}"):
                connected(port, TlsSettings(tls_fingerprint=pins)).request("POST", "/", SECRET)
    assert b"".join(got) == b""


def test_a_certificate_of_another_name_is_not_trusted(trust: Trust, settings: TlsSettings) -> None:
    with peer(wait_for_the_end, trust) as port:
        elsewhere = HttpsConnection(Target("other.example", port, ("127.0.0.1",)), settings)
        with pytest.raises(HypervisorUnavailable, match="not trusted"):
            elsewhere.connect()


def test_a_fingerprint_is_enough_in_either_case_and_for_any_name(trust: Trust) -> None:
    found = fingerprint(trust.certificate)
    with peer(wait_for_the_end, trust) as port:
        for pins in (found, found.upper(), ["0" * 64, found]):
            named = HttpsConnection(
                Target("xen-1", port, ("127.0.0.1",)), TlsSettings(tls_fingerprint=pins, tls_ca_file="/none")
            )
            named.connect()
            named.close()


def test_the_address_that_was_allowed_is_connected_to(trust: Trust) -> None:
    with peer(wait_for_the_end, trust) as port:
        target = Target("no-such-host.invalid", port, ("127.0.0.1",))
        connection = HttpsConnection(target, TlsSettings(tls_verify=False))
        connection.connect()
        connection.close()


@pytest.mark.parametrize("wrong", ["ab:cd", ["0" * 64, "0" * 63], "x" * 64])
def test_fingerprints_have_64_digits(wrong: str | list[str]) -> None:
    with pytest.raises(ValueError, match=r"tls_fingerprint: .* is not 64 hexadecimal digits without colons"):
        TlsSettings(tls_fingerprint=wrong)


def test_what_an_operator_should_know_is_reported(settings: TlsSettings) -> None:
    assert settings.tls_warnings() == TlsSettings().tls_warnings() == []
    assert "tls_verify is off" in TlsSettings(tls_verify=False).tls_warnings()[0]
    assert TlsSettings(tls_verify=False, tls_fingerprint="0" * 64).tls_warnings() == []


def test_a_file_of_authorities_that_cannot_be_read_is_unavailable(trust: Trust) -> None:
    with (
        peer(wait_for_the_end, trust) as port,
        pytest.raises(HypervisorUnavailable, match="cannot read tls_ca_file: No such file"),
    ):
        connected(port, TlsSettings(tls_ca_file="/nowhere/ca.pem"))


def test_session_tickets_are_no_input_and_early_bytes_are_read_later(
    trust: Trust, settings: TlsSettings
) -> None:
    def early(connection: socket.socket) -> None:
        connection.sendall(b"hello")
        wait_for_the_end(connection)

    for script, expected in ((wait_for_the_end, False), (early, True)):
        with peer(script, trust) as port:
            connection = connected(port, settings)
            assert connection.tls.has_input(5 if expected else 0.2) is expected
            assert connection.tls.has_input() is expected
            if expected:
                sizes = [connection.tls.recv_into(bytearray(size)) for size in (2, 9)]
                assert sizes == [2, 3]
            connection.close()


def read_on(connection: HttpsConnection) -> None:
    while True:
        connection.tls.recv_into(bytearray(1))


@pytest.mark.parametrize("act", [read_on, HttpsConnection.getresponse])
def test_bytes_that_trickle_in_do_not_move_the_deadline(
    trust: Trust, settings: TlsSettings, act: Callable[[HttpsConnection], object]
) -> None:
    def trickle(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        while True:
            connection.sendall(b"x")
            time.sleep(0.02)  # so that no single wait is long

    with peer(trickle, trust) as port:
        connection = connected(port, settings)
        connection.request("GET", "/")
        connection.set_deadline(time.monotonic() + 0.3)
        with pytest.raises(TimeoutError):
            act(connection)
        connection.close()


def test_a_cause_has_no_words_of_the_host(trust: Trust, settings: TlsSettings) -> None:
    """A reason phrase or a page may hold the session's secret."""

    def script(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"the-secret is not HTTP\r\n\r\n")
        wait_for_the_end(connection)

    with peer(script, trust) as port:
        connection = connected(port, settings)
        connection.request("GET", "/")
        with pytest.raises(Exception, match="the-secret") as broken:
            connection.getresponse()
        connection.close()
    cause = connection.cause_of(broken.value)
    assert re.fullmatch(r"the host did not speak HTTP \(BadStatusLine\)", cause)
    for error, words in (
        (ConnectionResetError(104, "Connection reset by peer"), "Connection reset by peer"),
        (IncompleteRead(b"the-secret"), "the host closed the connection before the end of its response"),
    ):
        assert connection.cause_of(error) == words
