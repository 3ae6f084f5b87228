"""The socket of a client. The main loop never waits on it, threads wait as `Patience` lets them.

gunicorn's parser and responses use it in place of a socket, and read first what the main loop has received.
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

#: How often a waiting thread checks whether it may wait on.
SLICE_SECONDS = 0.1
#: ``struct timeval``. Set at the socket, which spares a system call for each piece.
_SLICE = struct.pack("@ll", 0, int(SLICE_SECONDS * 1_000_000))
_RECEIVE_BYTES = 16 * 1024
#: The head of a response is sent together with a body up to this size.
_JOINED_BYTES = 64 * 1024
#: Makes the kernel send a reset when the socket is closed: ``struct linger``.
_RESET_AT_CLOSE = struct.pack("@ii", 1, 0)
_NOTHING = memoryview(b"")
#: What a socket raises that is not ready.
WAITS = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class ClientSocket:
    """A plain socket."""

    def __init__(self, sock: socket, limits: ClientLimits) -> None:
        self.sock = sock
        self.patience = Patience(limits)
        #: What has arrived and was not read by a thread.
        self.arrived = bytearray()
        #: The event of `selectors` that the last `receive` or `send_unsent` waits for.
        self.awaited = EVENT_READ
        #: What a thread has left to the main loop to send.
        self.unsent = _NOTHING
        #: Whether what threads send is the end of a response, so that the main loop can send it.
        self.sends_last = False
        #: The id of the request whose response is sent.
        self.request_id = ""
        #: Deadline for threads that read (`time.monotonic`); None is no deadline.
        self.read_until_seconds: float | None = None
        #: Why the service gave the client up while it was sending to it.
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
        """Stay as it is: gunicorn calls this where its own sockets change hands."""

    # What the main loop does.

    def shake_hands(self) -> int:
        """Go on with the handshake; return the event of `selectors` that it waits for, 0 when it is done.

        :raises OSError: there can be none with this client
        """
        return 0

    @property
    def has_input(self) -> bool:
        """Whether there is something to read that no poll would tell of."""
        return bool(self.arrived)

    def receive(self) -> bool:
        """Take what has arrived; tell whether more may come.

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
        """Send what can be sent now of what threads have left, and return how much it was."""
        self.awaited = EVENT_WRITE
        try:
            count = self._send_now(self.unsent)
        except WAITS as error:
            self.awaited = _event_of(error, EVENT_WRITE)
            return 0
        # An empty part would keep all of it in memory, as long as the connection is idle.
        self.unsent = self.unsent[count:] if count < len(self.unsent) else _NOTHING
        return count

    def end_sending(self) -> None:
        """Tell the client that nothing more is sent."""
        self.sock.shutdown(SHUT_WR)

    def close(self, *, reset: bool = False) -> None:
        """Close the connection; with a reset, so that no client takes a response for complete."""
        with suppress(OSError):
            if reset:
                self.sock.setsockopt(SOL_SOCKET, SO_LINGER, _RESET_AT_CLOSE)
            self.sock.close()

    # What threads do.

    def has_input_within(self, seconds: float) -> bool:
        """Wait for a moment for the client to send something."""
        return bool(self._poll.poll(seconds * 1000))

    def begin_response(self, give_up: Callable[[], None]) -> None:
        """Hold the head of a response back, so that it is sent together with what comes after it.

        :param give_up: is called when the client is too slow with its request: the response is to be the last
        """
        self._holds_next = True
        self._give_up = give_up

    def end_response(self) -> None:
        """Send as usual again."""
        self._holds_next = self.sends_last = False
        self._held = b""

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Receive up to `size` bytes.

        :raises RequestTimeout: the client has sent too little in too long a time
        :raises ServiceBusy: it is slow, and there are too many such clients
        """
        if self.arrived:
            part = bytes(self.arrived[:size])
            del self.arrived[:size]
            return part
        while True:
            started = time.monotonic()
            if self.read_until_seconds is not None and started > self.read_until_seconds:
                raise TimeoutError("the time to read from the client is up")
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
        """Send everything at once, and return how much that is."""
        self._send_all(memoryview(data))
        return len(data)

    def sendall(self, data: bytes) -> None:
        """Send everything, or leave the end of a response to the main loop.

        :raises OSError: the client has gone away, or the service gave it up
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
        """Send a head that nothing came after."""
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

    # What depends on the kind of socket. Each raises one of `WAITS` where the client is not ready.

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
    """Return the event that a socket waits for: TLS may have to write before it reads, and vice versa."""
    if isinstance(error, ssl.SSLWantReadError):
        return EVENT_READ
    return EVENT_WRITE if isinstance(error, ssl.SSLWantWriteError) else usual
