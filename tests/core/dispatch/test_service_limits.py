"""What service plugins know of time limits, and how they see the bytes of an import."""

import io
import math
from collections.abc import Generator, Iterator, Mapping
from typing import Any

import pytest

from simplestack import (
    CallContext,
    Export,
    Guest,
    GuestState,
    HypervisorSettings,
    HypervisorTimeout,
    HypervisorUnavailable,
    ImportStream,
    SessionExpired,
    Storage,
    time_left_seconds,
)
from support.dispatching import Hypervisor, storage_info

LIMITS = HypervisorSettings(call_timeout_seconds=20, long_call_timeout_seconds=200)
Wrapper = Generator[None, Any, Any]


def guest(name: str) -> Guest:
    return Guest(id="1", name=name, cpus=1, memory=1, hdd=0, state=GuestState.STOPPED)


def test_a_service_plugin_knows_how_much_time_the_operation_has() -> None:
    left: list[float] = []

    def operation_call(context: CallContext) -> Wrapper:
        left.append(time_left_seconds())
        result = yield
        left.append(time_left_seconds())
        return result

    def snapshot_delete(session: Any) -> None:
        left.append(time_left_seconds())

    hypervisor = Hypervisor(storage_info, snapshot_delete, services=(operation_call,), settings=LIMITS)
    hypervisor.call("storage_info", storage_id="1")
    assert 19 < left[1] < left[0] <= 20
    left.clear()
    hypervisor.call("snapshot_delete", guest_id="1", snapshot_id="1")
    assert 199 < left[2] < left[0] <= 200
    assert 199 < left[1] <= 200
    assert time_left_seconds() == math.inf


def test_connecting_and_logging_out_have_no_operations_limit() -> None:
    left: list[float] = []

    def connect(*_: Any) -> object:
        left.append(time_left_seconds())
        return object()

    def storage_info(session: Any) -> Storage:
        raise SessionExpired("forgotten")

    def operation_call() -> Wrapper:
        return (yield)

    hypervisor = Hypervisor(
        storage_info,
        services=(operation_call,),
        settings=LIMITS,
        connect=connect,
        disconnect=lambda _session: left.append(time_left_seconds()),
    )
    with pytest.raises(HypervisorUnavailable):
        hypervisor.call("storage_info", storage_id="1")
    hypervisor.dispatcher.close()
    assert set(left) == {math.inf}
    assert len(left) > 2


def test_each_chunk_of_an_export_that_a_service_plugin_wraps_has_a_limit() -> None:
    left: list[float] = []

    def guest_export(session: Any) -> Export:
        return Export(iter([b"1", b"2"]))

    def operation_call() -> Wrapper:
        result = yield

        def chunks() -> Iterator[bytes]:
            for chunk in result.chunks:
                left.append(time_left_seconds())
                yield chunk

        return Export(chunks())

    hypervisor = Hypervisor(guest_export, services=(operation_call,), settings=LIMITS)
    assert list(hypervisor.call("guest_export", guest_id="1").chunks) == [b"1", b"2"]
    assert len(left) == 2
    assert all(19 < seconds <= 20 for seconds in left)


class Wrapped:
    """A stream that marks what passes."""

    def __init__(self, stream: ImportStream, mark: bytes) -> None:
        self._stream = stream
        self._mark = mark

    def read(self, size: int, /) -> bytes:
        piece = self._stream.read(size)
        return piece and self._mark + piece


def test_a_service_plugin_wraps_the_stream_of_an_import_also_for_a_second_attempt() -> None:
    attempts: list[bytes] = []

    def guest_import(session: Any, stream: ImportStream, size: int | None) -> Guest:
        attempts.append(b"")
        if len(attempts) == 1:
            raise SessionExpired("forgotten")
        return guest(stream.read(100).decode())

    def wrapping(mark: bytes) -> Any:
        def operation_call(arguments: Mapping[str, Any]) -> Wrapper:
            arguments["stream"].wrap(lambda stream: Wrapped(stream, mark))
            return (yield)

        return operation_call

    hypervisor = Hypervisor(guest_import, services=(wrapping(b"inner"), wrapping(b"outer")), settings=LIMITS)
    made = hypervisor.call("guest_import", stream=io.BytesIO(b"image"), size=5, storage_id=None)
    assert made.name == "innerouterimage"
    assert len(attempts) == 2


def test_a_stream_that_a_service_plugin_wraps_counts_against_the_limit_between_two_reads() -> None:
    left: list[float] = []

    class Watching(Wrapped):
        def read(self, size: int, /) -> bytes:
            left.append(time_left_seconds())
            if len(left) == 3:
                raise HypervisorTimeout("as a hypervisor that hangs")
            return super().read(size)

    def guest_import(session: Any, stream: ImportStream) -> Guest:
        while stream.read(1):
            pass
        return guest("made")

    def operation_call(arguments: Mapping[str, Any]) -> Wrapper:
        arguments["stream"].wrap(lambda stream: Watching(stream, b""))
        return (yield)

    hypervisor = Hypervisor(guest_import, services=(operation_call,), settings=LIMITS)
    with pytest.raises(HypervisorTimeout, match="as a hypervisor that hangs"):
        hypervisor.call("guest_import", stream=io.BytesIO(b"image"), size=5, storage_id=None)
    assert 199 < left[0] <= 200
    assert all(19 < seconds <= 20 for seconds in left[1:])
