"""TLS sockets with a deadline."""

import select
import ssl
import time
from typing import Any

_EARLY_BYTES = 16 * 1024


class TlsSocket(ssl.SSLSocket):
    """A TLS socket with a deadline for all its reads."""

    #: Deadline (`time.monotonic`).
    deadline_seconds: float = float("inf")
    #: Bytes that `has_input` has received.
    _early: bytes = b""

    def has_input(self, limit_seconds: float = 0) -> bool:
        """Return whether the host has sent bytes or closed the connection.

        A readable socket is not enough: TLS 1.3 may send session tickets at any time.

        :param limit_seconds: how long to wait for it
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
        """Receive bytes, and wait for them until the deadline.

        :raises TimeoutError: none have arrived until then
        """
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
