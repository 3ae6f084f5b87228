"""Bodies of requests, which may be too long for memory."""

import re
from email.message import Message
from io import BufferedIOBase

_CHUNK = re.compile(rb"[0-9A-Fa-f]{1,8}")
_PIECE_BYTES = 64 * 1024


class CutOffError(ValueError):
    """The client has sent less than it has announced."""


class Body:
    """A body with a length, or in chunks, that is read piece by piece."""

    def __init__(self, source: BufferedIOBase, headers: Message) -> None:
        """Begin to read.

        :raises ValueError: it has no length
        """
        self._source = source
        self._is_chunked = headers.get("Transfer-Encoding", "").lower() == "chunked"
        length = headers.get("Content-Length", "")
        if not self._is_chunked and not length.isdecimal():
            raise ValueError("the body has no length")
        #: How many bytes the client has announced; 0 if it comes in chunks.
        self.announced = 0 if self._is_chunked else int(length)
        #: Of the body, or of the chunk.
        self._left = self.announced
        self._has_begun = self._has_ended = False

    def read(self, size: int) -> bytes:
        """Return so many bytes; fewer at the end only.

        :raises CutOffError: the client has sent less than it has announced
        :raises ValueError: it has sent no chunks
        """
        found = bytearray()
        while len(found) < size:
            if not self._left and not self._next_chunk():
                break
            piece = self._source.read(min(size - len(found), self._left))
            if not piece:
                raise CutOffError("the connection has ended before the body")
            found += piece
            self._left -= len(piece)
        return bytes(found)

    def finish(self) -> None:
        """Read the rest.

        :raises CutOffError: the client has sent less than it has announced
        :raises ValueError: it has sent no chunks
        """
        while self.read(_PIECE_BYTES):
            pass

    def _next_chunk(self) -> bool:
        if not self._is_chunked or self._has_ended:
            return False
        if self._has_begun:
            self._source.readline(32)
        self._has_begun = True
        line = self._source.readline(32)
        if not line:
            raise CutOffError("the connection has ended before the body")
        size = line.partition(b";")[0].strip()
        if not _CHUNK.fullmatch(size):
            raise ValueError("the body is not in chunks")
        self._left = int(size, 16)
        if not self._left:
            self._source.readline(32)
            self._has_ended = True
        return bool(self._left)
