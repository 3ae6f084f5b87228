"""Streams with a callback at their end, to return the session and write the audit line."""

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from simplestack.dispatch.frames import release_frames
from simplestack.entities.transfer import ImportStream
from simplestack.errors import HypervisorTimeout
from simplestack.sessions.time_limits import Deadline, DeadlineExceeded

_log = logging.getLogger("simplestack.dispatch")

#: Runs a part of the plugin's code, and returns its result.
RunPart = Callable[[Callable[[], Any]], Any]


class WatchedChunks:
    """The chunks of an export. `on_end` is called once at their end.

    A class and not a generator: a generator that was never started does not run its ``finally``, and clients
    do go away before the first byte.
    """

    def __init__(
        self,
        chunks: Iterable[bytes],
        on_end: Callable[[BaseException | None, bool, int], None],
        run: RunPart = lambda part: part(),
    ) -> None:
        """Watch `chunks`.

        :param on_end: called with the error, whether all chunks were sent, and the number of sent bytes in
            whole chunks
        :param run: runs the plugin's code that fetches the next chunk, or closes the chunks
        """
        self._source = chunks
        self._chunks: Iterator[bytes] | None = None
        self._on_end = on_end
        self._run = run
        self._sent_bytes = 0
        #: Size of the last chunk, which is sent when the next one is requested.
        self._given_bytes = 0
        self._prefetched = b""
        self._ended = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def prefetch(self) -> None:
        """Fetch the first chunk now, so that an error before it becomes an error response."""
        self._prefetched = next(self, b"")

    def __next__(self) -> bytes:
        if self._prefetched:
            first, self._prefetched = self._prefetched, b""
            return first
        self._sent_bytes += self._given_bytes
        try:
            chunk: bytes | None = self._run(self._following)
        except BaseException as error:
            release_frames(error)
            self._end(error, complete=False)
            raise
        if chunk is None:
            self._end(None, complete=True)
            raise StopIteration
        self._given_bytes = len(chunk)
        return chunk

    def close(self) -> None:
        """Stop before the end: the client has disconnected."""
        self._end(None, complete=False)

    def _following(self) -> bytes | None:
        """Return the next chunk that is not empty, which would end a chunked response; None at the end."""
        if self._chunks is None:
            self._chunks = iter(self._source)
        chunk = next(filter(None, self._chunks), None)
        if chunk is not None and not isinstance(chunk, bytes):
            raise TypeError(f"a chunk of an export is `{type(chunk).__name__}`, expected `bytes`")
        return chunk

    def _end(self, error: BaseException | None, *, complete: bool) -> None:
        if self._ended:
            return
        self._ended = True
        try:
            self._run(lambda: close_chunks(self._source))
        except Exception:  # the client has what it will get
            _log.exception("cannot close an export")
        finally:
            self._on_end(error, complete, self._sent_bytes)


def close_chunks(chunks: Any) -> None:
    """Close an object that has a `close` method, such as a generator."""
    close = getattr(chunks, "close", None)
    if close is not None:
        close()


class TimedUpload:
    """The bytes of an import. The plugin's time limit is suspended while it waits for them."""

    def __init__(
        self,
        stream: ImportStream,
        size: int | None,
        deadline: Deadline,
        *,
        between_seconds: float,
        afterwards_seconds: float,
    ) -> None:
        """Watch `stream`.

        :param size: number of bytes; None if unknown
        :param between_seconds: time limit of the plugin between two reads
        :param afterwards_seconds: time limit of the plugin after the last read
        """
        self._stream = stream
        self._left = size
        self._deadline = deadline
        self._between_seconds = between_seconds
        self._afterwards_seconds = afterwards_seconds

    def read(self, size: int, /) -> bytes:
        """Read from the client.

        :raises HypervisorTimeout: the call was abandoned
        """
        is_complete = True
        try:
            self._deadline.suspend()
        except DeadlineExceeded:
            raise HypervisorTimeout(
                f"the import was abandoned after {self._deadline.limit_seconds:g} s without a read"
            ) from None
        try:
            piece = self._stream.read(size)
            is_complete = len(piece) < size
            if self._left is not None:
                self._left -= len(piece)
                is_complete = is_complete or self._left <= 0
            return piece
        finally:
            self._deadline.restart(self._afterwards_seconds if is_complete else self._between_seconds)
