"""TLS connections to vCenter and ESXi, with verified certificates and deadlines.

pyvmomi's own connections have no deadline, and check a pinned certificate only once: after the first mismatch
they accept any.
"""

import hashlib
import http.client
import select
import socket
import ssl
import time
from functools import lru_cache
from typing import Any, NoReturn

from simplestack import HypervisorTimeout, HypervisorUnavailable, Target
from simplestack_vmware.settings import VmwareSettings


class TimedSocket(ssl.SSLSocket):
    """A TLS socket with a deadline for all its reads."""

    #: Deadline (`time.monotonic`).
    deadline_seconds = float("inf")

    def has_input(self) -> bool:
        """Return whether the host has sent bytes or closed the connection. Then it cannot be used again.

        A readable socket is not enough: TLS 1.3 may send session tickets at any time.
        """
        poll = select.poll()
        poll.register(self, select.POLLIN)
        before = self.gettimeout()
        while poll.poll(0):
            self.settimeout(0)
            try:
                self.recv(1)
            except ssl.SSLWantReadError:
                continue
            except OSError:
                return True
            finally:
                self.settimeout(before)
            return True
        return False

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        """Receive bytes, and wait for them until the deadline."""
        left = self.deadline_seconds - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        if left != float("inf"):
            self.settimeout(left)
        return super().recv_into(buffer, nbytes, flags)


class VsphereConnection(http.client.HTTPConnection):
    """A connection of pyvmomi's stub, which calls `connect`. Its certificate is verified each time."""

    default_port = http.client.HTTPS_PORT

    def __init__(self, target: Target, settings: VmwareSettings, **_of_pyvmomi: Any) -> None:
        super().__init__(target.name, target.port or settings.port, blocksize=1024 * 1024)
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

    def set_deadline(self, deadline_seconds: float) -> None:
        """Set the deadline for all that follows (`time.monotonic`)."""
        self.tls.deadline_seconds = deadline_seconds
        self.tls.settimeout(max(0.001, deadline_seconds - time.monotonic()))

    def connect(self) -> None:
        """Connect, make the TLS handshake and verify the certificate.

        :raises HypervisorUnavailable: the host cannot be reached, or its certificate is not trusted
        :raises HypervisorTimeout: the host does not respond
        """
        target, settings = self.target, self._settings
        limit = settings.connect_timeout_seconds
        deadline = time.monotonic() + limit
        try:
            plain = socket.create_connection(_address(target, self.port), timeout=limit)
        except TimeoutError:
            raise HypervisorTimeout(f"{target} did not respond within {limit:g} s") from None
        except OSError as error:
            raise HypervisorUnavailable(f"cannot connect to {target}: {error.strerror or error}") from None
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.settimeout(max(0.001, deadline - time.monotonic()))
            context = tls_context(
                settings.tls_verify and settings.tls_fingerprint is None, settings.tls_ca_file
            )
            self._tls = self.sock = context.wrap_socket(plain, server_hostname=target.name)  # type: ignore[assignment]  # of the context's own class
            self._check_fingerprint()
        except BaseException as error:
            plain.close()
            self.close()
            if isinstance(error, OSError):
                _explain_handshake(error, target, limit)
            raise

    @property
    def was_closed(self) -> bool:
        """Whether the host has closed the idle connection."""
        return self.sock is None or self.tls.has_input()

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


def cause_of(error: Exception) -> str:
    """Return why a connection broke, in no words of the host's: those may hold the session's cookie."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return f"the host did not speak HTTP ({type(error).__name__})"


@lru_cache(maxsize=64)
def tls_context(verify: bool, ca_file: str | None) -> ssl.SSLContext:
    """Return the TLS context, cached because creating it takes longer than a handshake.

    :raises HypervisorUnavailable: the file of authorities cannot be read
    """
    try:
        context = ssl.create_default_context(cafile=ca_file if verify else None)
    except OSError as error:
        raise HypervisorUnavailable(f"cannot read tls_ca_file: {error.strerror or error}") from None
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.sslsocket_class = TimedSocket
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
            f"{target} did not finish the TLS handshake within {limit_seconds:g} s"
        ) from None
    raise HypervisorUnavailable(f"{target}: the TLS handshake failed: {error.strerror or error}") from None
