"""HTTPS connections to hosts: verified, with a time limit for all that is waited for."""

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
from simplestack_xen.sdk import XenAPI
from simplestack_xen.settings import XenSettings
from simplestack_xen.xapi.json_rpc import NoJsonRpc
from simplestack_xen.xapi.messages import is_read, is_repeatable

T = TypeVar("T")

HTTPS_PORT = 443
_EARLY_BYTES = 16 * 1024
#: `code` of the error that says that nobody knows whether an operation took effect.
UNKNOWN_OUTCOME = "UNKNOWN_OUTCOME"


class TimedSocket(ssl.SSLSocket):
    """A TLS socket that gives up at a moment, however slowly bytes trickle in until then."""

    #: On the monotonic clock.
    deadline_seconds = float("inf")
    #: What came before anybody wanted to read it.
    _early = b""

    def answers(self, limit_seconds: float = 0) -> bool:
        """Tell whether the other end has said something, or hung up, though it was not asked yet.

        That the socket is readable is not enough: TLS 1.3 sends session tickets when it likes to.
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
                return True  # it has hung up
        return True

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        """Receive what is there, or wait for it as long as there is time."""
        if self._early:
            taken = self._early[: len(buffer) if nbytes is None else nbytes]
            buffer[: len(taken)] = taken
            self._early = self._early[len(taken) :]
            return len(taken)
        left = self.deadline_seconds - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time is up")
        if left != float("inf"):
            self.settimeout(left)
        return super().recv_into(buffer, nbytes, flags)


class HttpsConnection(http.client.HTTPConnection):
    """One TLS connection to a target that may be connected to."""

    def __init__(self, target: Target, settings: XenSettings) -> None:
        super().__init__(target.name, target.port or HTTPS_PORT, blocksize=1024 * 1024)
        self.target = target
        self.auto_open = 0  # its own way would be without TLS
        self._settings = settings
        self._tls: TimedSocket | None = None

    @property
    def tls(self) -> TimedSocket:
        """The socket, also while an answer is read after which the host hangs up: `sock` is None by then."""
        if self._tls is None:
            raise http.client.NotConnected
        return self._tls

    def dial(self, limit_seconds: float) -> None:
        """Connect, shake hands, and see that it is the host that it should be.

        :raises HypervisorUnavailable: nobody is there, or it cannot be trusted
        :raises HypervisorTimeout: nobody answers
        """
        target, settings = self.target, self._settings
        deadline = time.monotonic() + limit_seconds
        try:
            plain = socket.create_connection(_address(target, self.port), timeout=limit_seconds)
        except TimeoutError:
            raise HypervisorTimeout(f"{target} does not answer within {limit_seconds:g} s") from None
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
        wanted = self._settings.tls_fingerprint
        if wanted is None:
            return
        trusted = [wanted] if isinstance(wanted, str) else wanted
        found = hashlib.sha256(self.tls.getpeercert(binary_form=True) or b"").hexdigest()
        if found not in [fingerprint.lower() for fingerprint in trusted]:
            raise HypervisorUnavailable(
                f"{self.target}: its certificate has the SHA-256 fingerprint {found}, "
                "which tls_fingerprint does not name"
            )

    @property
    def was_closed(self) -> bool:
        """Whether the host has closed it meanwhile: it says nothing else on an idle connection."""
        return self.sock is None or self.tls.answers()


class KeptConnection:
    """A connection for one request at a time: kept from one to the next, made again when it was closed."""

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
        """Send a request and return what `read` makes of the answer.

        :param message: the message that the body has. It is sent once more when the connection breaks, if it
            may be
        :raises HypervisorUnavailable: the host cannot be reached; nothing was sent, or nothing that matters
        :raises HypervisorTimeout: there is no answer in time
        :raises HypervisorError: UNKNOWN_OUTCOME: it was sent, and the connection broke before the answer came
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
                found = read(response)
                response.read()  # to its end, so that the connection can be used again
            except TimeoutError:
                self.close()
                effect = "" if is_read(message) else "; whether it took effect is unknown"
                raise HypervisorTimeout(
                    f"{self.target} did not answer {message} within {limit_seconds:g} s{effect}"
                ) from None
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if not is_repeatable(message):
                    raise _unknown_outcome(self.target, message) from None
                if is_second:
                    raise HypervisorUnavailable(
                        f"the connection to {self.target} broke twice: {error}"
                    ) from None
                is_second = True
            except (XenAPI.Failure, NoJsonRpc):
                raise  # in an answer that was read to its end
            except BaseException:
                self.close()  # an answer that was not read to its end is in the way of the next one
                raise
            else:
                return found

    def close(self) -> None:
        """Close it; it is made again when it is needed."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _connection(self, limit_seconds: float) -> HttpsConnection:
        if self._open is not None and self._open.was_closed:
            self.close()
        if self._open is None:
            made = HttpsConnection(self.target, self._settings)
            made.dial(limit_seconds)
            self._open = made
        return self._open


def _address(target: Target, port: int) -> tuple[str, int]:
    """Return where to connect to: the address that the allow-list saw, where it looked at addresses."""
    return (target.addresses[0] if target.addresses else target.name), port


@lru_cache(maxsize=64)
def _context(verify: bool, ca_file: str | None) -> ssl.SSLContext:
    """Return what a handshake needs. It takes longer to make than the handshake itself."""
    try:
        context = ssl.create_default_context(cafile=ca_file if verify else None)
    except OSError as error:
        raise HypervisorUnavailable(f"tls_ca_file cannot be read: {error.strerror or error}") from None
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.sslsocket_class = TimedSocket
    return context


def _explain_handshake(error: OSError, target: Target, limit_seconds: float) -> NoReturn:
    if isinstance(error, ssl.SSLCertVerificationError):
        raise HypervisorUnavailable(
            f"{target}: its certificate cannot be trusted ({error.verify_message}); the operator of this "
            "service can name who vouches for it (tls_ca_file), or its fingerprint (tls_fingerprint)"
        ) from None
    if isinstance(error, TimeoutError):
        raise HypervisorTimeout(
            f"{target} did not finish the TLS handshake within {limit_seconds:g} s"
        ) from None
    raise HypervisorUnavailable(f"{target}: the TLS handshake failed: {error.strerror or error}") from None


def _unknown_outcome(target: Target, message: str) -> HypervisorError:
    return HypervisorError(
        f"the connection to {target} broke before it answered {message}: whether that took effect is "
        "unknown, so look before you ask again",
        UNKNOWN_OUTCOME,
    )
