"""Check with a deadline that a libvirtd or sshd responds, before libvirt connects.

``virConnectOpen`` has no time limit of its own and waits for ever for a peer that accepts and never speaks.
The probe also asks which authentication libvirtd wants: that decides who checks the caller's password.

It speaks libvirt's RPC protocol as far as AUTH_LIST, the first call of every client:
https://libvirt.org/kbase/internals/rpc.html and src/remote/remote_protocol.x.
"""

import enum
import socket
import ssl
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from simplestack import HypervisorTimeout, HypervisorUnavailable, Target

_PROGRAM, _VERSION, _AUTH_LIST = 0x20008086, 1, 66
_CALL, _REPLY, _OK = 0, 1, 0
#: Length of the whole packet, program, version, procedure, type, serial, status.
_HEADER = struct.Struct(">7I")
#: A response to AUTH_LIST has room for 20 methods (REMOTE_AUTH_TYPE_LIST_MAX).
_MAX_RESPONSE_BYTES = _HEADER.size + 4 + 20 * 4
#: RFC 4253 lets a server send other lines before its version.
_MAX_SSH_GREETING_BYTES = 16 * 1024
#: What libvirtd sends after the TLS handshake when it accepts the client's certificate.
_CERTIFICATE_ACCEPTED = b"\x01"

Connection = socket.socket | ssl.SSLSocket


class Auth(enum.IntEnum):
    """Ways in which libvirtd authenticates its clients (enum remote_auth_type)."""

    NONE = 0
    SASL = 1
    POLKIT = 2


@dataclass(frozen=True, slots=True)
class Peer:
    """The server that responded."""

    #: The IP address; the socket's path over unix.
    address: str
    #: What libvirtd offers; empty over ssh, where it cannot be asked before the login.
    auth: frozenset[int]


class Probe:
    """One probe of one target, with one deadline."""

    def __init__(self, target: Target, limit_seconds: float) -> None:
        self._target = target
        self._limit_seconds = limit_seconds
        self._deadline_seconds = time.monotonic() + limit_seconds

    def unix(self, path: str) -> Peer:
        """Probe libvirtd behind a unix socket."""
        connection = socket.socket(socket.AF_UNIX)
        with connection:
            self._await(connection, "connecting to libvirtd's unix socket")
            try:
                connection.connect(path)
            except TimeoutError:
                raise self._timeout("connecting to libvirtd's unix socket") from None
            except OSError as error:
                raise HypervisorUnavailable(
                    f"{self._target}: cannot connect to libvirtd's unix socket: {error.strerror}"
                ) from None
            return Peer(path, self._auth_list(connection))

    def tcp(self, port: int) -> Peer:
        """Probe libvirtd at a TCP port."""
        connection, address = self._dial(port)
        with connection:
            return Peer(address, self._auth_list(connection))

    def tls(self, port: int, pki_path: str | None) -> Peer:
        """Probe libvirtd at a TLS port, with the client's certificate where there is one.

        The server's certificate is not verified: nothing secret is sent, and what is learned only decides
        whether accounts are asked. libvirt verifies it when it connects, by its own rules.
        """
        plain, address = self._dial(port)
        with plain:
            phase = "the TLS handshake"
            self._await(plain, phase)
            try:
                secure = _tls_context(pki_path).wrap_socket(plain, server_hostname=self._target.name)
            except TimeoutError:
                raise self._timeout(phase) from None
            except OSError as error:  # ssl.SSLError is one
                raise HypervisorUnavailable(f"{self._target}: {phase} failed: {_reason(error)}") from None
            with secure:
                accepted = self._receive(secure, 1, "libvirtd to accept the service's certificate")
                if accepted != _CERTIFICATE_ACCEPTED:
                    raise self._stranger("libvirtd", port)
                return Peer(address, self._auth_list(secure))

    def ssh(self, port: int) -> Peer:
        """Probe an sshd."""
        connection, address = self._dial(port)
        with connection:
            greeting = b""
            while not any(line.startswith(b"SSH-") for line in greeting.split(b"\n")):
                if len(greeting) > _MAX_SSH_GREETING_BYTES:
                    raise self._stranger("sshd", port)
                greeting += self._receive_some(connection, 256, "sshd's greeting")
        return Peer(address, frozenset())

    def _dial(self, port: int) -> tuple[socket.socket, str]:
        try:
            candidates = [
                info
                for name in self._target.addresses or (self._target.name,)
                for info in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
            ]
        except socket.gaierror as error:
            raise HypervisorUnavailable(f"cannot resolve {self._target}: {error.strerror}") from None
        phase = f"connecting to port {port}"
        failure: HypervisorUnavailable | HypervisorTimeout | None = None
        for position, (family, kind, protocol, _, address) in enumerate(candidates):
            connection = socket.socket(family, kind, protocol)
            try:
                # The last one gets all the time that is left; one that is silent must not use it all up.
                self._await(connection, phase, len(candidates) - position)
                connection.connect(address)
            except TimeoutError:
                failure = self._timeout(phase)
            except OSError as error:
                failure = HypervisorUnavailable(f"{self._target}: {phase} failed: {error.strerror}")
            else:
                return connection, str(address[0])
            connection.close()
        raise failure or HypervisorUnavailable(f"{self._target} does not resolve to any address")

    def _auth_list(self, connection: Connection) -> frozenset[int]:
        phase = "libvirtd's response"
        self._await(connection, phase)
        serial = 0
        try:
            connection.sendall(_HEADER.pack(_HEADER.size, _PROGRAM, _VERSION, _AUTH_LIST, _CALL, serial, _OK))
        except TimeoutError:
            raise self._timeout(phase) from None
        except OSError as error:
            raise self._closed(phase, error) from None
        header = self._receive(connection, _HEADER.size, phase)
        length, program, version, procedure, kind, reply_status, status = _HEADER.unpack(header)
        expected = (_PROGRAM, _VERSION, _AUTH_LIST, _REPLY, serial)
        if (program, version, procedure, kind, reply_status) != expected or length > _MAX_RESPONSE_BYTES:
            raise self._stranger("libvirtd")
        body = self._receive(connection, length - _HEADER.size, phase)
        if status != _OK or len(body) < 4:
            raise HypervisorUnavailable(f"{self._target}: libvirtd did not report its authentication")
        (count,) = struct.unpack_from(">I", body)
        if len(body) != 4 + 4 * count:
            raise self._stranger("libvirtd")
        return frozenset(struct.unpack_from(f">{count}I", body, 4))

    def _receive(self, connection: Connection, size: int, phase: str) -> bytes:
        received = b""
        while len(received) < size:
            received += self._receive_some(connection, size - len(received), phase)
        return received

    def _receive_some(self, connection: Connection, size: int, phase: str) -> bytes:
        self._await(connection, phase)
        try:
            received = connection.recv(size)
        except TimeoutError:
            raise self._timeout(phase) from None
        except OSError as error:
            raise self._closed(phase, error) from None
        if not received:
            raise self._closed(phase, None)
        return received

    def _await(self, connection: Connection, phase: str, shares: int = 1) -> None:
        remaining = self._deadline_seconds - time.monotonic()
        if remaining <= 0:
            raise self._timeout(phase)
        connection.settimeout(remaining / shares)

    def _timeout(self, phase: str) -> HypervisorTimeout:
        return HypervisorTimeout(
            f"{self._target}: no response within {self._limit_seconds:g} s (waiting for {phase}); "
            "the host or the network may be down"
        )

    def _closed(self, phase: str, error: OSError | None) -> HypervisorUnavailable:
        what = "closed the connection" if error is None else f"broke the connection ({_reason(error)})"
        return HypervisorUnavailable(f"{self._target}: {what} while waiting for {phase}")

    def _stranger(self, wanted: str, port: int | None = None) -> HypervisorUnavailable:
        where = "" if port is None else f" at port {port}"
        return HypervisorUnavailable(f"{self._target}: the server{where} is not {wanted}")


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return error.strerror or type(error).__name__


def _tls_context(pki_path: str | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing secret is sent: see Probe.tls
    certificate, key = _client_certificate(pki_path)
    if certificate.exists() and key.exists():
        context.load_cert_chain(certificate, key)
    return context


def _client_certificate(pki_path: str | None) -> tuple[Path, Path]:
    """Find the certificate that libvirt would use: https://libvirt.org/kbase/tlscerts.html."""
    if pki_path is not None:
        return Path(pki_path, "clientcert.pem"), Path(pki_path, "clientkey.pem")
    own = Path("~/.pki/libvirt").expanduser()
    if own.joinpath("clientcert.pem").exists():
        return own / "clientcert.pem", own / "clientkey.pem"
    return Path("/etc/pki/libvirt/clientcert.pem"), Path("/etc/pki/libvirt/private/clientkey.pem")
