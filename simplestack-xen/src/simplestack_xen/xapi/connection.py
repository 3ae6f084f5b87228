"""HTTPS connections to hosts, with verified certificates and time limits."""

import hashlib
import http.client
import select
import socket
import ssl
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NoReturn, TypeVar

from simplestack import HypervisorError, HypervisorTimeout, HypervisorUnavailable, Target
from simplestack_xen.settings import XenSettings
from simplestack_xen.xapi.messages import is_read, is_repeatable

T = TypeVar("T")

HTTPS_PORT = 443
_EARLY_BYTES = 16 * 1024
#: `code` of the error when it is unknown whether an operation took effect.
UNKNOWN_OUTCOME = "UNKNOWN_OUTCOME"


class TimedSocket(ssl.SSLSocket):
    """A TLS socket with a deadline for all its reads."""

    #: Deadline (`time.monotonic`).
    deadline_seconds = float("inf")
    #: Bytes that `has_input` has received.
    _early = b""

    def has_input(self, limit_seconds: float = 0) -> bool:
        """Return whether the host has sent bytes or closed the connection.

        A readable socket is not enough: TLS 1.3 may send session tickets at any time.
        """
        deadline = time.monotonic() + limit_seconds
        poll = select.poll()
        poll.register(self, select.POLLIN)
        before = self.gettimeout()
        while not self._early:
            if not poll.poll(1000 * max(0.0, deadline - time.monotonic())):
                return False
            self.settimeout(0)
            try:
                self._early = self.recv(_EARLY_BYTES)
            except ssl.SSLWantReadError:
                continue
            except OSError:
                return True
            finally:
                self.settimeout(before)
            if not self._early:
                return True  # the host has closed it
        return True

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        """Receive bytes, and wait for them until the deadline."""
        if self._early:
            taken = self._early[: len(buffer) if nbytes is None else nbytes]
            buffer[: len(taken)] = taken
            self._early = self._early[len(taken) :]
            return len(taken)
        left = self.deadline_seconds - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        if left != float("inf"):
            self.settimeout(left)
        return super().recv_into(buffer, nbytes, flags)


class HttpsConnection(http.client.HTTPConnection):
    """A TLS connection to a host."""

    def __init__(self, target: Target, settings: XenSettings) -> None:
        super().__init__(target.name, target.port or HTTPS_PORT, blocksize=1024 * 1024)
        self.target = target
        self.auto_open = 0  # the base class would connect without TLS
        self._settings = settings
        self._tls: TimedSocket | None = None

    @property
    def tls(self) -> TimedSocket:
        """The socket. `sock` may be None while the last response of a connection is read."""
        if self._tls is None:
            raise http.client.NotConnected
        return self._tls

    def open(self, limit_seconds: float) -> None:
        """Connect, make the TLS handshake and verify the certificate.

        :raises HypervisorUnavailable: the host cannot be reached, or its certificate is not trusted
        :raises HypervisorTimeout: the host does not respond
        """
        target, settings = self.target, self._settings
        deadline = time.monotonic() + limit_seconds
        try:
            plain = socket.create_connection(_address(target, self.port), timeout=limit_seconds)
        except TimeoutError:
            raise HypervisorTimeout(f"{target} did not respond within {limit_seconds:g} s") from None
        except OSError as error:
            raise HypervisorUnavailable(f"cannot connect to {target}: {error.strerror or error}") from None
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.settimeout(max(0.001, deadline - time.monotonic()))
            context = _context(settings.tls_verify and settings.tls_fingerprint is None, settings.tls_ca_file)
            self._tls = self.sock = context.wrap_socket(plain, server_hostname=target.name)  # type: ignore[assignment]  # of the context's own class
            self._check_fingerprint()
        except BaseException as error:
            plain.close()
            self.close()
            if isinstance(error, OSError):
                _explain_handshake(error, target, limit_seconds)
            raise

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

    @property
    def was_closed(self) -> bool:
        """Whether the host has closed the idle connection."""
        return self.sock is None or self.tls.has_input()


class KeptConnection:
    """A connection that is reused for one request after the other, and reconnected if it was closed."""

    def __init__(self, target: Target, settings: XenSettings) -> None:
        self.target = target
        self._settings = settings
        self._open: HttpsConnection | None = None

    def post(
        self,
        path: str,
        body: bytes,
        content_type: str,
        read: Callable[[http.client.HTTPResponse], T],
        *,
        message: str,
        limit_seconds: float,
    ) -> T:
        """Send a request, and return the result of `read` for its response.

        :param message: name of the XAPI message in the body. If it is repeatable, it is sent once more when
            the connection breaks
        :raises HypervisorUnavailable: the host cannot be reached, and the request had no effect
        :raises HypervisorTimeout: no response in time
        :raises HypervisorError: UNKNOWN_OUTCOME: the connection broke after the request was sent
        """
        deadline = time.monotonic() + limit_seconds
        is_second = False
        headers = {"Content-Type": content_type, "User-Agent": "simplestack"}
        while True:
            connection = self._connection(min(limit_seconds, self._settings.connect_timeout_seconds))
            try:
                connection.tls.deadline_seconds = deadline
                connection.tls.settimeout(max(0.001, deadline - time.monotonic()))
                connection.request("POST", path, body, headers)
                response = connection.getresponse()
                result = read(response)
                response.read()  # to the end, to reuse the connection
            except TimeoutError:
                self.close()
                effect = "" if is_read(message) else "; whether it took effect is unknown"
                raise HypervisorTimeout(
                    f"{self.target} did not respond to {message} within {limit_seconds:g} s{effect}"
                ) from None
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if not is_repeatable(message):
                    raise _unknown_outcome(self.target, message) from None
                if is_second:
                    raise HypervisorUnavailable(
                        f"the connection to {self.target} broke twice: {cause_of(error)}"
                    ) from None
                is_second = True
            except BaseException:
                self.close()  # the rest of the response would come before the next one
                raise
            else:
                return result

    def close(self) -> None:
        """Close the connection. The next request reconnects."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _connection(self, limit_seconds: float) -> HttpsConnection:
        if self._open is not None and self._open.was_closed:
            self.close()
        if self._open is None:
            connection = HttpsConnection(self.target, self._settings)
            connection.open(limit_seconds)
            self._open = connection
        return self._open


def cause_of(error: Exception) -> str:
    """Return why a connection broke, in no words of the host's: those may hold the session's reference."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return f"the host did not speak HTTP ({type(error).__name__})"


def _address(target: Target, port: int) -> tuple[str, int]:
    """Return the address to connect to: a checked one, if the host is allowed because of its addresses."""
    return (target.addresses[0] if target.addresses else target.name), port


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
    context.sslsocket_class = TimedSocket
    return context


def _explain_handshake(error: OSError, target: Target, limit_seconds: float) -> NoReturn:
    if isinstance(error, ssl.SSLCertVerificationError):
        raise HypervisorUnavailable(
            f"{target}: its certificate is not trusted ({error.verify_message}); ask the operator of this "
            "service to set tls_ca_file or tls_fingerprint"
        ) from None
    if isinstance(error, TimeoutError):
        raise HypervisorTimeout(
            f"{target} did not finish the TLS handshake within {limit_seconds:g} s"
        ) from None
    raise HypervisorUnavailable(f"{target}: the TLS handshake failed: {error.strerror or error}") from None


def _unknown_outcome(target: Target, message: str) -> HypervisorError:
    return HypervisorError(
        f"the connection to {target} broke before the response to {message}: whether it took effect is "
        "unknown, so check before you try again",
        UNKNOWN_OUTCOME,
    )
