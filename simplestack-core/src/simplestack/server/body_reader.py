"""Bodies of known length, received into the very bytes that the application gets.

Gunicorn's readers put each piece through two buffers. Of a large body the copies, and the memory that the
allocator gives back to the kernel and takes again for each, then cost more than the receiving.
"""

import ssl
from socket import MSG_WAITALL, socket
from typing import Any

from gunicorn.http.body import Body, LengthReader
from gunicorn.http.unreader import SocketUnreader

#: For less, gunicorn's reading ahead is the better way.
_LARGE_BYTES = 64 * 1024


def read_directly(request: Any) -> None:
    """Replace a large body of one of gunicorn's requests, where its length and its socket allow that."""
    reader = request.body.reader
    if not isinstance(reader, LengthReader) or reader.length < _LARGE_BYTES:
        return
    unreader = reader.unreader
    # A TLS socket cannot wait for all that is asked for.
    if isinstance(unreader, SocketUnreader) and not isinstance(unreader.sock, ssl.SSLSocket):
        request.body = _DirectBody(_DirectReader(unreader, reader.length, unreader.sock))


class _DirectBody(Body):
    """A body that hands on what its reader returns."""

    def read(self, size: int | None = None) -> bytes:
        """Return as much as is asked for, less at the end only."""
        if size is None or size < _LARGE_BYTES or self.buf.tell():
            return super().read(size)
        try:
            piece: bytes = self.reader.read(size)
        except Exception:
            self.failed = True  # so that the connection is not used again
            raise
        return piece


class _DirectReader(LengthReader):
    """Takes what was read ahead, and the rest from the socket in one piece."""

    def __init__(self, unreader: SocketUnreader, length: int, sock: socket) -> None:
        super().__init__(unreader, length)
        self._socket = sock

    def read(self, size: int) -> bytes:
        """Return as much as is asked for, less at the end only."""
        size = min(self.length, size)
        if size < _LARGE_BYTES:
            return super().read(size)
        ahead = self.unreader.take_buffered()
        if len(ahead) > size:
            self.unreader.unread(ahead[size:])
        pieces = [ahead[:size]] if ahead else []
        missing = size - sum(map(len, pieces))
        # A signal, or a time-out with some bytes here, ends the wait early.
        while missing and (piece := self._socket.recv(missing, MSG_WAITALL)):
            pieces.append(piece)
            missing -= len(piece)
        self.length -= size - missing
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
