"""The socket of a client. The main loop never blocks on it; threads wait within the limits of `Patience`.

Gunicorn's parser and responses use it instead of a socket, and first read what the main loop has received.
"""

import errno
import select
import ssl
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE
from socket import MSG_DONTWAIT, SHUT_WR, SO_LINGER, SO_RCVTIMEO, SO_SNDTIMEO, SOL_SOCKET, socket

from simplestack.errors import RequestTimeout, ServiceBusy
from simplestack.server.patience import ClientLimits, Patience

#: How often a waiting thread checks whether it may keep waiting.
SLICE_SECONDS = 0.1
#: ``struct timeval``. As an option of the socket, it saves a system call per piece.
_SLICE = struct.pack("@ll", 0, int(SLICE_SECONDS * 1_000_000))
_RECEIVE_BYTES = 16 * 1024
#: The header of a response is sent together with a body of up to this size.
_JOINED_BYTES = 64 * 1024
#: ``struct linger``: the kernel sends a reset when the socket is closed.
_RESET_AT_CLOSE = struct.pack("@ii", 1, 0)
_NOTHING = memoryview(b"")
#: Exceptions of a socket that is not ready.
WAITS = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class ClientSocket:
    """A plain socket."""

    def __init__(self, sock: socket, limits: ClientLimits) -> None:
        self.sock = sock
        self.patience = Patience(limits)
        #: Received bytes that no thread has read.
        self.arrived = bytearray()
        #: The `selectors` event that the last `receive` or `send_unsent` waits for.
        self.awaited = EVENT_READ
        #: The rest of a response, which the main loop sends.
        self.unsent = _NOTHING
        #: Whether a thread is sending the last part of a response, which the main loop can finish.
        self.sends_last = False
        #: ID of the request whose response is being sent.
        self.request_id = ""
        #: Deadline of reading threads (`time.monotonic`); None means no deadline.
        self.read_until_seconds: float | None = None
        #: Why the service stopped sending to the client.
        self.failure = ""
        self._held = b""
        self._holds_next = False
        self._give_up: Callable[[], None] = lambda: None
        self._poll = select.poll()
        self._prepare()

    def fileno(self) -> int:
        """Return the file descriptor."""
        return self.sock.fileno()

    def setblocking(self, _flag: bool) -> None:
        """Do nothing: gunicorn calls this for its own sockets."""

    # For the main loop.

    def shake_hands(self) -> int:
        """Continue the handshake. Return the `selectors` event that it waits for, or 0 when it is done.

        :raises OSError: the handshake failed
        """
        return 0

    @property
    def has_input(self) -> bool:
        """Whether there are received bytes that `poll` would not report."""
        return bool(self.arrived)

    def receive(self) -> bool:
        """Read what has arrived. Return whether more can come.

        :raises OSError: the connection is broken
        """
        self.awaited = EVENT_READ
        try:
            part = self._receive_now(_RECEIVE_BYTES)
        except WAITS as error:
            self.awaited = _event_of(error, EVENT_READ)
            return True
        self.arrived += part
        return bool(part)

    def send_unsent(self) -> int:
        """Send as much of `unsent` as possible without waiting. Return the number of bytes."""
        self.awaited = EVENT_WRITE
        try:
            count = self._send_now(self.unsent)
        except WAITS as error:
            self.awaited = _event_of(error, EVENT_WRITE)
            return 0
        # An empty slice would keep the whole response in memory while the connection is idle.
        self.unsent = self.unsent[count:] if count < len(self.unsent) else _NOTHING
        return count

    def end_sending(self) -> None:
        """Tell the client that the response is complete."""
        self.sock.shutdown(SHUT_WR)

    def close(self, *, reset: bool = False) -> None:
        """Close the connection. With `reset`, the client sees that the response is not complete."""
        with suppress(OSError):
            if reset:
                self.sock.setsockopt(SOL_SOCKET, SO_LINGER, _RESET_AT_CLOSE)
            self.sock.close()

    # For threads.

    def has_input_within(self, seconds: float) -> bool:
        """Wait for input from the client."""
        return bool(self._poll.poll(seconds * 1000))

    def begin_response(self, give_up: Callable[[], None]) -> None:
        """Delay the header of a response, to send it together with the body.

        :param give_up: called when the client sends its request too slowly, to make the response the last one
        """
        self._holds_next = True
        self._give_up = give_up

    def end_response(self) -> None:
        """Stop delaying."""
        self._holds_next = self.sends_last = False
        self._held = b""

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Receive up to `size` bytes.

        :raises RequestTimeout: the client is slower than the minimum rate
        :raises ServiceBusy: the client is slow, and there are too many slow clients
        """
        if self.arrived:
            part = bytes(self.arrived[:size])
            del self.arrived[:size]
            return part
        while True:
            started = time.monotonic()
            if self.read_until_seconds is not None and started > self.read_until_seconds:
                raise TimeoutError("the deadline for reading from the client has passed")
            try:
                received = self._receive_soon(size, flags)
            except WAITS:
                received = None
            try:
                self.patience.waited(time.monotonic() - started, len(received or b""))
            except (RequestTimeout, ServiceBusy):
                self._give_up()
                raise
            if received is not None:
                return received

    def send(self, data: bytes) -> int:
        """Send everything. Return the number of bytes."""
        self._send_all(memoryview(data))
        return len(data)

    def sendall(self, data: bytes) -> None:
        """Send everything. The main loop may send the last part of a response.

        :raises OSError: the client disconnected, or is too slow
        """
        if self._holds_next:
            self._holds_next = False
            self._held = data
            return
        if self._held and len(data) <= _JOINED_BYTES:
            data, self._held = self._held + data, b""
        elif self._held:
            self.flush()
        if self.unsent:
            self.unsent = memoryview(bytes(self.unsent) + data)
        elif self.sends_last:
            self.unsent = memoryview(data)
            self.send_unsent()
        else:
            self._send_all(memoryview(data))

    def flush(self) -> None:
        """Send a delayed header that has no body."""
        if self._held:
            held, self._held = self._held, b""
            self._send_all(memoryview(held))

    def _send_all(self, rest: memoryview) -> None:
        while rest:
            started = time.monotonic()
            try:
                count = self._send_soon(rest)
            except WAITS:
                count = 0
            try:
                self.patience.waited(time.monotonic() - started, count)
            except (RequestTimeout, ServiceBusy) as error:
                self.failure = error.message
                raise ConnectionAbortedError(errno.EPIPE, error.message) from None
            rest = rest[count:]

    # Different for TLS sockets. Each raises one of `WAITS` if the client is not ready.

    def _prepare(self) -> None:
        self.sock.setsockopt(SOL_SOCKET, SO_RCVTIMEO, _SLICE)
        self.sock.setsockopt(SOL_SOCKET, SO_SNDTIMEO, _SLICE)
        self._poll.register(self.sock, select.POLLIN)

    def _receive_now(self, size: int) -> bytes:
        return self.sock.recv(size, MSG_DONTWAIT)

    def _send_now(self, data: memoryview) -> int:
        return self.sock.send(data, MSG_DONTWAIT)

    def _receive_soon(self, size: int, flags: int) -> bytes:
        return self.sock.recv(size, flags)

    def _send_soon(self, data: memoryview) -> int:
        return self.sock.send(data)


def _event_of(error: Exception, usual: int) -> int:
    """Return the event that a socket waits for: TLS may need to write before it can read, and vice versa."""
    if isinstance(error, ssl.SSLWantReadError):
        return EVENT_READ
    return EVENT_WRITE if isinstance(error, ssl.SSLWantWriteError) else usual
