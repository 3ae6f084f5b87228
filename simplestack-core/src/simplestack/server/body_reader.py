"""Read large bodies of known length without copying them.

Gunicorn's readers copy each piece through two buffers. For a large body, copying and allocating cost more
time than receiving.
"""

import logging
import time
from socket import MSG_WAITALL
from typing import Any

from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.http.errors import ParseException
from gunicorn.http.unreader import SocketUnreader

from simplestack.errors import SimplestackError
from simplestack.server.client_socket import ClientSocket

_log = logging.getLogger("simplestack.server")

#: Minimum size. For smaller bodies, gunicorn's read-ahead is faster.
_LARGE_BYTES = 64 * 1024
#: How long a thread reads the rest of a rejected upload. After that, the main loop does.
_DRAIN_SECONDS = 0.2
_DRAIN_PIECE_BYTES = 1024**2


def read_directly(request: Any) -> None:
    """Replace the body of a gunicorn request if it is large and its length is known."""
    reader = request.body.reader
    if not isinstance(reader, LengthReader) or reader.length < _LARGE_BYTES:
        return
    unreader = reader.unreader
    if isinstance(unreader, SocketUnreader):
        request.body = _DirectBody(_DirectReader(unreader, reader.length))


def drain(body: Any, sock: ClientSocket) -> bool:
    """Read the rest of a body for a short time. Return whether the next request can be read."""
    if body.failed:  # the start of the next request is unknown
        return False
    if _is_complete(body.reader):
        return True
    sock.read_until_seconds = time.monotonic() + _DRAIN_SECONDS
    try:
        while body.read(_DRAIN_PIECE_BYTES):
            pass
    except (OSError, ParseException, SimplestackError) as error:  # the client disconnected, or is too slow
        # Not the message: it may quote what the client sent.
        _log.debug("cannot read the rest of a body: %s", type(error).__name__)
        return False
    finally:
        sock.read_until_seconds = None
    return True


def _is_complete(reader: LengthReader | ChunkedReader) -> bool:
    """Return whether a reader has received the whole body."""
    if isinstance(reader, LengthReader):
        return reader.length == 0
    return reader.parser is None


class _DirectBody(Body):
    """A body that returns its reader's bytes without copying."""

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
    """Reads the bytes that gunicorn has read ahead, and then from the socket."""

    def __init__(self, unreader: SocketUnreader, length: int) -> None:
        super().__init__(unreader, length)
        self._socket = unreader.sock

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
        # A slow client makes `recv` return less.
        while missing and (piece := self._socket.recv(missing, MSG_WAITALL)):
            pieces.append(piece)
            missing -= len(piece)
        self.length -= size - missing
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
