"""The TLS socket of a client. It is non-blocking: in a blocking one, OpenSSL would wait without limit."""

import select
import ssl
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE
from socket import socket

from simplestack.server.client_socket import SLICE_SECONDS, WAITS, ClientSocket
from simplestack.server.patience import ClientLimits

#: OpenSSL returns one record at a time, and a buffer for more would be made in vain. Sending, it reports no
#: progress before all that it was given is on its way. So it is given one record at a time.
_RECORD_BYTES = 16 * 1024
#: Maximum number of bytes per call, so that a fast client does not occupy the main loop.
_MOST_SENT_BYTES = 1024 * 1024


class TlsSocket(ClientSocket):
    """A TLS socket. The main loop makes its handshake."""

    sock: ssl.SSLSocket

    def __init__(self, sock: socket, limits: ClientLimits, context: ssl.SSLContext) -> None:
        """Prepare the handshake.

        :raises OSError: the client has disconnected
        """
        sock.setblocking(False)
        tls = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        super().__init__(tls, limits)

    def shake_hands(self) -> int:
        """Continue the handshake. Return the `selectors` event that it waits for, or 0 when it is done.

        :raises OSError: the handshake failed
        """
        try:
            self.sock.do_handshake()
        except ssl.SSLWantReadError:
            return EVENT_READ
        except ssl.SSLWantWriteError:
            return EVENT_WRITE
        return 0

    @property
    def has_input(self) -> bool:
        """Whether there is something to read that no poll would tell of."""
        return super().has_input or bool(self.sock.pending())

    def receive(self) -> bool:
        """Take what has arrived, all that is decrypted already included; tell whether more may come."""
        more = super().receive()
        while more and self.sock.pending():
            more = super().receive()
        return more

    def end_sending(self) -> None:
        """Tell the client that nothing more is sent, by a close_notify, and that nothing was cut off."""
        # The client's own close_notify is not waited for, and input that comes first is no error here.
        with suppress(OSError, ValueError):
            self.sock.unwrap()
        super().end_sending()

    def _prepare(self) -> None:
        self._poll.register(self.sock, select.POLLIN)

    def _receive_now(self, size: int) -> bytes:
        return self.sock.recv(size)

    def _send_now(self, data: memoryview) -> int:
        count = 0
        try:
            while count < min(len(data), _MOST_SENT_BYTES):
                count += self.sock.send(data[count : count + _RECORD_BYTES])
        except WAITS:  # the next call begins with the same record, as OpenSSL demands
            if not count:
                raise
        return count

    def _receive_soon(self, size: int, _flags: int) -> bytes:
        size = min(size, _RECORD_BYTES)
        try:
            return self.sock.recv(size)
        except WAITS as error:
            self._wait_for(error)
        return self.sock.recv(size)

    def _send_soon(self, data: memoryview) -> int:
        try:
            return self._send_now(data)
        except WAITS as error:
            self._wait_for(error)
        return self._send_now(data)

    def _wait_for(self, error: Exception) -> None:
        poll = select.poll()
        poll.register(
            self.sock, select.POLLOUT if isinstance(error, ssl.SSLWantWriteError) else select.POLLIN
        )
        poll.poll(SLICE_SECONDS * 1000)
