"""Streams that somebody must hear the end of: a session to give back, an audit line to write."""

from collections.abc import Callable, Iterator

from simplestack.entities.transfer import ImportStream
from simplestack.sessions.guard import Progress


class WatchedChunks:
    """Chunks on their way out. However they end, `on_end` is called, once.

    A class and not a generator: a generator that was never started does not run its ``finally``, and clients
    do go away before the first byte.
    """

    def __init__(
        self,
        chunks: Iterator[bytes],
        on_end: Callable[[BaseException | None, bool, int], None],
        fetch: Callable[[Callable[[], bytes | None]], bytes | None] = lambda following: following(),
    ) -> None:
        """Watch `chunks`.

        :param on_end: gets the error, whether all was sent, and how many bytes were
        :param fetch: calls its argument, which fetches the next chunk
        """
        self._chunks = chunks
        self._on_end = on_end
        self._fetch = fetch
        self._sent_bytes = 0
        self._prefetched: bytes | None = None
        self._ended = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def prefetch(self) -> None:
        """Fetch the first chunk now: what goes wrong before it can still become an error answer."""
        self._prefetched = next(self, b"")

    def __next__(self) -> bytes:
        if self._prefetched is not None:
            first, self._prefetched = self._prefetched, None
            if first:
                return first
        try:
            chunk = self._fetch(self._following)
        except BaseException as error:
            self._end(error, complete=False)
            raise
        if chunk is None:
            self._end(None, complete=True)
            raise StopIteration
        self._sent_bytes += len(chunk)
        return chunk

    def close(self) -> None:
        """Stop before the end: the client has gone away."""
        self._end(None, complete=False)

    def _following(self) -> bytes | None:
        """Return the next chunk; None at the end. An empty one would end a chunked answer early."""
        return next(filter(None, self._chunks), None)

    def _end(self, error: BaseException | None, *, complete: bool) -> None:
        if self._ended:
            return
        self._ended = True
        try:
            close = getattr(self._chunks, "close", None)
            if close is not None:
                close()
        except ValueError:
            # "generator already executing": in a thread that was left behind, whose error is on its way.
            if error is None:
                raise
        finally:
            self._on_end(error, complete, self._sent_bytes)


class WatchedUpload:
    """The client's bytes on their way in; while it waits for them, the hypervisor's clock stands still."""

    def __init__(self, stream: ImportStream, progress: Progress) -> None:
        self._stream = stream
        self._progress = progress

    def read(self, size: int, /) -> bytes:
        """Read from the client."""
        self._progress.waiting_for_client = True
        try:
            return self._stream.read(size)
        finally:
            self._progress.waiting_for_client = False
            self._progress.touch()
