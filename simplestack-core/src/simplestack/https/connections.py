"""HTTPS connections, each with a verified certificate and deadlines."""

import hashlib
import http.client
import socket
import ssl
import time
from functools import lru_cache
from typing import Any, NoReturn

from simplestack.errors import HypervisorTimeout, HypervisorUnavailable
from simplestack.https.settings import TlsSettings
from simplestack.https.sockets import TlsSocket
from simplestack.sessions.targets import Target

_BLOCK_BYTES = 1024 * 1024


class HttpsConnection(http.client.HTTPConnection):
    """A connection to a host, whose certificate or fingerprint is verified each time it connects.

    Use it where :class:`HttpsClient` is not enough, for example to send or receive an image in pieces:
    `connect`, `set_deadline`, and then as any connection of ``http.client``. It raises OSError and
    ``http.client.HTTPException`` if it breaks, and TimeoutError at the deadline.
    """

    #: As the base class has it, for type checkers.
    sock: socket.socket | Any

    def __init__(self, target: Target, settings: TlsSettings, *, port: int = http.client.HTTPS_PORT) -> None:
        """Prepare a connection.

        :param port: port of hosts whose name has none
        """
        super().__init__(target.name, target.port or port, blocksize=_BLOCK_BYTES)
        self.target = target
        self.auto_open = 0  # the base class would connect without TLS
        self._settings = settings
        self._tls: TlsSocket | None = None

    @property
    def tls(self) -> TlsSocket:
        """The socket. `sock` may be None while the last response of a connection is read."""
        if self._tls is None:
            raise http.client.NotConnected
        return self._tls

    def connect(self, limit_seconds: float | None = None) -> None:
        """Connect, make the TLS handshake and verify the certificate.

        :param limit_seconds: time limit for all of it. Default: the setting ``connect_timeout_seconds``
        :raises HypervisorUnavailable: the host cannot be reached, or its certificate is not trusted
        :raises HypervisorTimeout: the host does not respond
        """
        target, settings = self.target, self._settings
        limit = settings.connect_timeout_seconds if limit_seconds is None else limit_seconds
        deadline = time.monotonic() + limit
        try:
            plain = socket.create_connection(_address(target, self.port), timeout=limit)
        except TimeoutError:
            raise HypervisorTimeout(f"{target} did not respond within {limit:.3g} s") from None
        except OSError as error:
            raise HypervisorUnavailable(f"cannot connect to {target}: {error.strerror or error}") from None
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.settimeout(max(0.001, deadline - time.monotonic()))
            context = _context(settings.tls_verify and settings.tls_fingerprint is None, settings.tls_ca_file)
            self._tls = context.wrap_socket(plain, server_hostname=target.name)  # type: ignore[assignment]  # of the context's own class
            self.sock = self._tls
            self._check_fingerprint()
        except BaseException as error:
            plain.close()
            self.close()
            if isinstance(error, OSError):
                _explain_handshake(error, target, limit)
            raise

    def set_deadline(self, deadline_seconds: float) -> None:
        """Set the deadline for all that follows (`time.monotonic`)."""
        self.tls.deadline_seconds = deadline_seconds
        self.tls.settimeout(max(0.001, deadline_seconds - time.monotonic()))

    @property
    def was_closed(self) -> bool:
        """Whether the host has closed the idle connection, so that it cannot be used again."""
        return self.sock is None or self.tls.has_input()

    @staticmethod
    def cause_of(error: Exception) -> str:
        """Return why a connection broke, in no words of the host's: those may hold the session's secret."""
        if isinstance(error, OSError):
            return error.strerror or type(error).__name__
        if isinstance(error, http.client.IncompleteRead):
            return "the host closed the connection before the end of its response"
        return f"the host did not speak HTTP ({type(error).__name__})"

    def _check_fingerprint(self) -> None:
        trusted = self._settings.trusted_fingerprints
        if trusted is None:
            return
        fingerprint = hashlib.sha256(self.tls.getpeercert(binary_form=True) or b"").hexdigest()
        if fingerprint not in [each.lower() for each in trusted]:
            raise HypervisorUnavailable(
                f"{self.target}: the SHA-256 fingerprint of its certificate is {fingerprint}, "
                "which is not in tls_fingerprint"
            )


@lru_cache(maxsize=64)
def _context(verify: bool, ca_file: str | None) -> ssl.SSLContext:
    """Return the TLS context, cached because creating it takes longer than a handshake."""
    try:
        context = ssl.create_default_context(cafile=ca_file if verify else None)
    except OSError as error:
        raise HypervisorUnavailable(f"cannot read tls_ca_file: {error.strerror or error}") from None
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.sslsocket_class = TlsSocket
    return context


def _address(target: Target, port: int) -> tuple[str, int]:
    """Return the address to connect to: a checked one, if the host is allowed because of its addresses."""
    return (target.addresses[0] if target.addresses else target.name), port


def _explain_handshake(error: OSError, target: Target, limit_seconds: float) -> NoReturn:
    if isinstance(error, ssl.SSLCertVerificationError):
        raise HypervisorUnavailable(
            f"{target}: its certificate is not trusted ({error.verify_message}); ask the operator of this "
            "service to set tls_ca_file or tls_fingerprint"
        ) from None
    if isinstance(error, TimeoutError):
        raise HypervisorTimeout(
            f"{target} did not finish the TLS handshake within {limit_seconds:.3g} s"
        ) from None
    raise HypervisorUnavailable(f"{target}: the TLS handshake failed: {error.strerror or error}") from None
