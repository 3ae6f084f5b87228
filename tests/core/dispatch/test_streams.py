"""Images on their way out and in."""

import math
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any

import pytest

from simplestack import HypervisorTimeout, HypervisorUnavailable, InvalidArguments
from simplestack.dispatch.streams import TimedUpload, WatchedChunks, close_chunks
from simplestack.sessions.time_limits import Deadline, DeadlineExceeded, call_within


class Source:
    """Chunks that can be closed; an exception among them is raised."""

    def __init__(self, *chunks: Any) -> None:
        self._chunks = iter(chunks)
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk: Any = next(self._chunks)
        if isinstance(chunk, BaseException):
            raise chunk
        found: bytes = chunk
        return found

    def close(self) -> None:
        self.closed += 1


class Ends:
    """The ends that were told: error, whether all was sent, how many bytes were."""

    def __init__(self) -> None:
        self.told: list[tuple[BaseException | None, bool, int]] = []

    def __call__(self, error: BaseException | None, complete: bool, sent_bytes: int) -> None:
        self.told.append((error, complete, sent_bytes))


def test_chunks_that_are_read_to_their_end_are_complete_and_closed_once() -> None:
    source, ends = Source(b"one", b"", b"three"), Ends()
    chunks = WatchedChunks(source, ends)
    assert iter(chunks) is chunks
    assert list(chunks) == [b"one", b"three"], "an empty chunk would end a chunked response"
    assert list(chunks) == []
    chunks.close()
    assert ends.told == [(None, True, 8)]
    assert source.closed == 1


def test_chunks_that_are_closed_before_their_end_are_not_complete() -> None:
    source, ends = Source(b"one", b"two"), Ends()
    chunks = WatchedChunks(source, ends)
    assert next(chunks) == b"one"
    assert next(chunks) == b"two"
    chunks.close()
    assert (ends.told, source.closed) == ([(None, False, 3)], 1), "the client may have left in the second"


def test_chunks_that_were_never_read_end_when_they_are_closed() -> None:
    source, ends = Source(b"one"), Ends()
    WatchedChunks(source, ends).close()
    assert (ends.told, source.closed) == ([(None, False, 0)], 1)


@pytest.mark.parametrize("error", [HypervisorUnavailable("broke"), SystemExit(1)])
def test_an_error_among_the_chunks_ends_them(error: BaseException) -> None:
    source, ends = Source(b"one", error, b"two"), Ends()
    chunks = WatchedChunks(source, ends)
    assert next(chunks) == b"one"
    with pytest.raises(type(error)):
        next(chunks)
    assert (ends.told, source.closed) == ([(error, False, 3)], 1)


def test_the_frames_of_an_error_are_released() -> None:
    def failing() -> Iterator[bytes]:
        yield from ()
        handle = "an SDK's"
        raise HypervisorUnavailable(f"broke {handle}")

    with pytest.raises(HypervisorUnavailable) as caught:
        next(WatchedChunks(failing(), Ends()))
    innermost = caught.value.__traceback__
    assert innermost is not None
    while innermost.tb_next is not None:
        innermost = innermost.tb_next
    assert innermost.tb_frame.f_code.co_name == "failing"
    assert innermost.tb_frame.f_locals == {}


@pytest.mark.parametrize("chunk", ["text", 1])
def test_a_chunk_that_is_not_bytes_is_the_plugins_mistake(chunk: Any) -> None:
    with pytest.raises(
        TypeError, match=f"a chunk of an export is `{type(chunk).__name__}`, expected `bytes`"
    ):
        next(WatchedChunks(Source(chunk), Ends()))


def test_the_first_chunk_can_be_fetched_ahead() -> None:
    ends = Ends()
    chunks = WatchedChunks(Source(b"one", b"two"), ends)
    chunks.prefetch()
    assert list(chunks) == [b"one", b"two"]
    assert ends.told == [(None, True, 6)]


def test_a_chunk_that_was_fetched_ahead_and_not_asked_for_was_not_sent() -> None:
    ends = Ends()
    inner = WatchedChunks(Source(b"one", b"two"), ends)
    outer = WatchedChunks(inner, lambda *_: None)
    outer.prefetch()
    outer.close()
    assert ends.told == [(None, False, 0)]


def test_an_error_before_the_first_chunk_is_raised_when_it_is_fetched_ahead() -> None:
    chunks = WatchedChunks(Source(HypervisorUnavailable("broke")), Ends())
    with pytest.raises(HypervisorUnavailable):
        chunks.prefetch()


def test_an_empty_image_has_no_chunks() -> None:
    ends = Ends()
    chunks = WatchedChunks(Source(), ends)
    chunks.prefetch()
    assert list(chunks) == []
    assert ends.told == [(None, True, 0)]


def test_an_iterable_is_iterated_once() -> None:
    assert list(WatchedChunks([b"one", b"two"], Ends())) == [b"one", b"two"]


def test_chunks_that_cannot_be_closed_end_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    class Unclosable(Source):
        def close(self) -> None:
            raise RuntimeError("stuck")

    ends = Ends()
    assert list(WatchedChunks(Unclosable(b"one"), ends)) == [b"one"]
    assert ends.told == [(None, True, 3)]
    assert "cannot close an export" in caplog.text


def test_what_fetches_and_what_closes_chunks_runs_where_it_is_told_to() -> None:
    parts: list[Any] = []

    def run(part: Callable[[], Any]) -> Any:
        parts.append(part())
        return parts[-1]

    source = Source(b"one")
    assert list(WatchedChunks(source, Ends(), run)) == [b"one"]
    assert parts == [b"one", None, None]
    assert source.closed == 1


def test_chunks_without_close_need_none() -> None:
    close_chunks([b"one"])


class TestUploads:
    """While a plugin waits for the client, its clock stands still; then it has time for what it read."""

    BETWEEN, AFTERWARDS = 20.0, 3000.0

    def upload(self, stream: Any, size: int | None) -> tuple[TimedUpload, Deadline]:
        deadline = Deadline(100)
        upload = TimedUpload(
            stream, size, deadline, between_seconds=self.BETWEEN, afterwards_seconds=self.AFTERWARDS
        )
        return upload, deadline

    @pytest.mark.parametrize(
        ("size", "pieces", "limits"),
        [
            (None, [4, 4, 3], [BETWEEN, BETWEEN, AFTERWARDS]),
            (None, [4, 0], [BETWEEN, AFTERWARDS]),
            (8, [4, 4], [BETWEEN, AFTERWARDS]),
            (9, [4, 4, 1], [BETWEEN, BETWEEN, AFTERWARDS]),
            (100, [4, 3], [BETWEEN, AFTERWARDS]),
        ],
    )
    def test_a_plugin_has_little_time_between_reads_and_much_after_the_last(
        self, size: int | None, pieces: list[int], limits: list[float]
    ) -> None:
        clocks: list[float] = []

        class Client:
            def read(self, size: int, /) -> bytes:
                assert size == 4
                clocks.append(deadline.left_seconds)
                return b"x" * pieces[len(clocks) - 1]

        upload, deadline = self.upload(Client(), size)
        found = []
        for piece in pieces:
            assert upload.read(4) == b"x" * piece
            found.append(deadline.limit_seconds)
            assert deadline.limit_seconds - 10 < deadline.left_seconds <= deadline.limit_seconds
        assert found == limits
        assert clocks == [math.inf] * len(pieces)

    def test_a_plugin_has_much_time_after_its_client_has_gone(self) -> None:
        class Gone:
            def read(self, size: int, /) -> bytes:
                raise InvalidArguments(f"gone before {size} bytes came")

        upload, deadline = self.upload(Gone(), 8)
        with pytest.raises(InvalidArguments, match="gone before 4 bytes"):
            upload.read(4)
        assert deadline.limit_seconds == self.AFTERWARDS
        assert deadline.left_seconds <= self.AFTERWARDS

    def test_an_abandoned_call_reads_nothing_more(self) -> None:
        class Client:
            def read(self, size: int, /) -> bytes:
                raise AssertionError(f"{size} bytes of the rest are not for this call")

        upload, deadline = self.upload(Client(), None)
        deadline.restart(0.05)
        abandoned, late = threading.Event(), SimpleQueue[BaseException | None]()

        def slow() -> None:
            assert abandoned.wait(20)
            upload.read(4)

        with pytest.raises(DeadlineExceeded):
            call_within(deadline, slow, lambda: lambda _result, error: late.put(error))
        abandoned.set()
        assert isinstance(late.get(timeout=20), HypervisorTimeout)
