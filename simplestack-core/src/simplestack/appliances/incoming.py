"""The bytes that a client sends: read in pieces, with a look at what comes next."""

from typing import Protocol

from simplestack.errors import InvalidArguments


class Source(Protocol):
    """Something to read once from its start to its end."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes: fewer only at the end, and ``b""`` after it."""
        ...


class Incoming:
    """A source whose next bytes can be looked at before they are read."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._ahead = b""

    def peek(self, size: int) -> bytes:
        """Return the next bytes, fewer only at the end; they are read again."""
        missing = size - len(self._ahead)
        if missing > 0:
            self._ahead += self._source.read(missing)
        return self._ahead[:size]

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes: fewer only at the end, and ``b""`` after it."""
        if not self._ahead:
            return self._source.read(size)
        piece, self._ahead = self._ahead[:size], self._ahead[size:]
        return piece if len(piece) == size else piece + self._source.read(size - len(piece))


class Announced:
    """A source that must have the length that was announced for it."""

    def __init__(self, source: Source, size: int, what: str) -> None:
        """Read the next bytes of a source as one of their own.

        :param what: completes the error "WHAT ends after N of M bytes"
        """
        self._source = source
        self._size = size
        self._what = what
        self._left_bytes = size

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes.

        :raises InvalidArguments: the source ends too early
        """
        wanted = min(size, self._left_bytes)
        piece = self._source.read(wanted) if wanted else b""
        self._left_bytes -= len(piece)
        if len(piece) < wanted:
            read_bytes = self._size - self._left_bytes
            raise InvalidArguments(
                f"{self._what} ends after {read_bytes} of {self._size} bytes: send all of it"
            )
        return piece
