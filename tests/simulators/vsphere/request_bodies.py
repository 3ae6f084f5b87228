"""Bodies of requests that are too long for memory."""

import re
from email.message import Message
from io import BufferedIOBase

_CHUNK = re.compile(rb"[0-9A-Fa-f]{1,8}")
_PIECE_BYTES = 64 * 1024


class Body:
    """A body with a length, or in chunks, that is read piece by piece."""

    def __init__(self, source: BufferedIOBase, headers: Message) -> None:
        """Begin to read.

        :raises ValueError: it has no length
        """
        self._source = source
        self._is_chunked = headers.get("Transfer-Encoding", "").lower() == "chunked"
        length = headers.get("Content-Length", "")
        if not self._is_chunked and not length.isdigit():
            raise ValueError("the body has no length")
        #: Of the body, or of the chunk.
        self._left = 0 if self._is_chunked else int(length)
        self._has_begun = self._has_ended = False

    def read(self, size: int) -> bytes:
        """Return so many bytes; fewer at the end only.

        :raises ValueError: the client has sent less than it has announced
        """
        found = bytearray()
        while len(found) < size:
            if not self._left and not self._next_chunk():
                break
            piece = self._source.read(min(size - len(found), self._left))
            if not piece:
                raise ValueError("the connection has ended before the body")
            found += piece
            self._left -= len(piece)
        return bytes(found)

    def finish(self) -> None:
        """Read the rest.

        :raises ValueError: the client has sent less than it has announced
        """
        while self.read(_PIECE_BYTES):
            pass

    def _next_chunk(self) -> bool:
        if not self._is_chunked or self._has_ended:
            return False
        if self._has_begun:
            self._source.readline(32)
        self._has_begun = True
        size = self._source.readline(32).partition(b";")[0].strip()
        if not _CHUNK.fullmatch(size):
            raise ValueError("the connection has ended before the body")
        self._left = int(size, 16)
        if not self._left:
            self._source.readline(32)
            self._has_ended = True
        return bool(self._left)
