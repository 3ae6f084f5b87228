"""Time limits hold for every hook, and what is abandoned leaves nothing behind."""

import gc
import math
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from simplestack import (
    Export,
    Guest,
    GuestState,
    HypervisorSettings,
    HypervisorTimeout,
    InvalidArguments,
    OperationTimeout,
    time_left_seconds,
)
from simplestack.operations.table import LONG_HOOKS, OPERATIONS
from simplestack.sessions.time_limits import Deadline, DeadlineExceeded, call_within
from support.dispatching import Gate, Hypervisor, Session
from support.service import wait_for

GUEST = Guest(id="1", name="n", cpus=1, memory=1, hdd=1, state=GuestState.STOPPED)
SHORT = HypervisorSettings(call_timeout_seconds=0.2, long_call_timeout_seconds=20)


@pytest.fixture
def gate() -> Iterator[Gate]:
    """Open it when the test is over."""
    gate = Gate()
    yield gate
    gate.open()


class Late:
    """What comes back after the deadline."""

    def __init__(self) -> None:
        self.arrived = threading.Event()
        self.result: Any = None
        self.error: BaseException | None = None

    def __call__(self, result: Any, error: BaseException | None) -> None:
        self.result, self.error = result, error
        self.arrived.set()


def nobody_abandons() -> Any:
    raise AssertionError("it was abandoned")


class TestCallWithin:
    def test_it_returns_and_raises_what_the_call_does(self) -> None:
        assert call_within(Deadline(20), lambda: 42, nobody_abandons) == 42
        with pytest.raises(ZeroDivisionError):
            call_within(Deadline(20), lambda: 1 // 0, nobody_abandons)
        with pytest.raises(TimeoutError, match="the call's own"):
            call_within(Deadline(20), _raise(TimeoutError("the call's own")), nobody_abandons)
        with pytest.raises(SystemExit):
            call_within(Deadline(20), _raise(SystemExit(3)), nobody_abandons)

    def test_a_call_beyond_its_deadline_is_abandoned_and_its_late_result_is_not_lost(
        self, gate: Gate
    ) -> None:
        late = Late()

        def slow() -> str:
            gate.wait()
            return "late"

        with pytest.raises(DeadlineExceeded):
            call_within(Deadline(0.05), slow, lambda: late)
        assert not late.arrived.is_set()
        gate.open()
        assert late.arrived.wait(20)
        assert (late.result, late.error) == ("late", None)

    def test_a_late_error_is_not_lost(self, gate: Gate) -> None:
        late = Late()

        def slow() -> str:
            gate.wait()
            raise ValueError("late")

        with pytest.raises(DeadlineExceeded):
            call_within(Deadline(0.05), slow, lambda: late)
        gate.open()
        assert late.arrived.wait(20)
        assert (late.result, str(late.error)) == (None, "late")

    def test_a_deadline_that_moves_is_observed(self) -> None:
        deadline = Deadline(0.05)
        waited: list[bool] = []

        def moving() -> str:
            deadline.suspend()
            waited.append(threading.Event().wait(0.2))
            deadline.restart(20)
            return "in time"

        assert call_within(deadline, moving, nobody_abandons) == "in time"
        assert waited == [False]

    def test_a_call_has_all_of_its_time(self) -> None:
        def slow() -> str:
            assert not threading.Event().wait(0.05)
            return "in time"

        assert call_within(Deadline(1), slow, nobody_abandons) == "in time"

    def test_its_caller_looks_at_the_clock_seldom(self) -> None:
        looks: list[float] = []

        class Watched(Deadline):
            @property
            def left_seconds(self) -> float:
                looks.append(super().left_seconds)
                return looks[-1]

        assert not call_within(Watched(20), lambda: threading.Event().wait(0.5), nobody_abandons)
        assert len(looks) < 10, "it waits between them"

    def test_a_suspended_deadline_leaves_any_time(self) -> None:
        deadline = Deadline(5)
        assert 4 < deadline.left_seconds <= 5
        deadline.suspend()
        assert deadline.left_seconds == math.inf
        deadline.restart(7)
        assert 6 < deadline.left_seconds <= 7

    def test_an_error_keeps_nothing_alive_in_a_cycle(self) -> None:
        class Handle:
            """As libvirt's: freed in a collection, it would reset the error of its thread."""

        handles: list[weakref.ref[Handle]] = []

        def failing() -> None:
            handle = Handle()
            handles.append(weakref.ref(handle))
            raise ValueError

        gc.collect()
        gc.disable()
        try:
            with pytest.raises(ValueError):  # noqa: PT011  any
                call_within(Deadline(20), failing, nobody_abandons)
            wait_for(lambda: handles[0]() is None, 5, "the handle to be freed without a collection")
        finally:
            gc.enable()


def _raise(error: BaseException) -> Any:
    def function() -> None:
        raise error

    return function


class TestHooks:
    def test_a_hook_that_hangs_ends_with_504_by_default(self, gate: Gate) -> None:
        def host_list(session: Session) -> list[Any]:
            gate.wait()
            return []

        with pytest.raises(HypervisorTimeout, match=r"lab did not respond within 0\.2 s; check whether"):
            Hypervisor(host_list, settings=SHORT).call("host_list")

    def test_a_hook_is_told_how_much_time_it_has(self) -> None:
        found: list[float] = []

        def host_list(session: Session) -> list[Any]:
            found.append(time_left_seconds())
            return []

        def guest_clone(session: Session, guest_id: str, name: str) -> Guest:
            found.append(time_left_seconds())
            return GUEST

        settings = HypervisorSettings(call_timeout_seconds=50, long_call_timeout_seconds=3000)
        for enforces in (True, False):
            hypervisor = Hypervisor(host_list, guest_clone, settings=settings, enforces_time_limits=enforces)
            hypervisor.call("host_list")
            hypervisor.call("guest_clone", guest_id="1", name="n")
        assert [round(seconds, -1) for seconds in found] == [50, 3000, 50, 3000]
        assert time_left_seconds() == math.inf

    def test_a_check_that_hangs_counts_as_the_call(self, gate: Gate) -> None:
        def host_list(session: Session) -> list[Any]:
            return []

        def check(_session: Session) -> bool:
            gate.wait()
            return True

        hypervisor = Hypervisor(host_list, check=check, settings=SHORT)
        assert hypervisor.call("host_list") == []
        with pytest.raises(HypervisorTimeout):
            hypervisor.call("host_list")
        assert hypervisor.call("host_list") == []
        assert len(hypervisor.connected) == 2

    def test_copies_may_take_longer_than_other_calls(self) -> None:
        def guest_clone(session: Session, guest_id: str, name: str) -> Guest:
            assert not threading.Event().wait(0.5)
            return GUEST

        assert Hypervisor(guest_clone, settings=SHORT).call("guest_clone", guest_id="1", name="n") == GUEST

    def test_the_operations_that_move_data_are_the_long_ones(self) -> None:
        long_hooks = {
            "guest_create",
            "guest_clone",
            "guest_import",
            "guest_export",
            "guest_suspend",
            "guest_resume",
            "disk_create",
            "disk_update",
            "disk_delete",
            "snapshot_create",
            "snapshot_revert",
            "snapshot_delete",
        }
        assert long_hooks == LONG_HOOKS
        assert not {hook for row in OPERATIONS if row.method == "GET" for hook in row.hooks} & (
            LONG_HOOKS - {"guest_export"}
        )

    def test_a_power_button_that_nobody_answers_does_not_cost_the_session(self) -> None:
        def guest_shutdown(session: Session, guest_id: str, force: bool) -> None:
            raise OperationTimeout("the guest ignores it")

        hypervisor = Hypervisor(guest_shutdown, settings=SHORT)
        for _ in range(2):
            with pytest.raises(OperationTimeout):
                hypervisor.call("guest_shutdown", guest_id="1", force=False)
        assert len(hypervisor.connected) == 1


class Client:
    """A client that sends a byte whenever the test says so."""

    def __init__(self, pause_seconds: float, count: int) -> None:
        self._pause = pause_seconds
        self._left = count

    def read(self, size: int, /) -> bytes:
        if not self._left:
            return b""
        assert not threading.Event().wait(self._pause)
        self._left -= 1
        return b"x" * size


class TestImports:
    """While a hook waits for its client, its own time does not run."""

    SETTINGS = HypervisorSettings(call_timeout_seconds=0.3, long_call_timeout_seconds=20)

    def test_a_slow_client_is_not_the_hypervisors_fault(self) -> None:
        def guest_import(session: Session, stream: Any) -> Guest:
            while stream.read(1):
                pass
            return GUEST

        hypervisor = Hypervisor(guest_import, settings=self.SETTINGS)
        client = Client(pause_seconds=0.5, count=3)
        assert hypervisor.call("guest_import", stream=client, size=None, storage_id=None) == GUEST

    def test_a_hypervisor_that_stops_taking_bytes_is_504_soon(self, gate: Gate) -> None:
        def guest_import(session: Session, stream: Any) -> Guest:
            assert stream.read(1)
            gate.wait()
            return GUEST

        hypervisor = Hypervisor(guest_import, settings=self.SETTINGS)
        with pytest.raises(HypervisorTimeout, match=r"within 0\.3 s"):
            hypervisor.call("guest_import", stream=Client(0, 3), size=3, storage_id=None)

    @pytest.mark.parametrize("size", [3, None])
    def test_a_hypervisor_may_take_long_once_it_has_all_bytes(self, size: int | None) -> None:
        def guest_import(session: Session, stream: Any) -> Guest:
            for _ in range(3 if size else 4):
                stream.read(1)
            assert not threading.Event().wait(0.8)
            return GUEST

        hypervisor = Hypervisor(guest_import, settings=self.SETTINGS)
        assert hypervisor.call("guest_import", stream=Client(0, 3), size=size, storage_id=None) == GUEST

    def test_a_client_that_leaves_ends_the_import(self) -> None:
        class Gone:
            def read(self, size: int, /) -> bytes:
                raise InvalidArguments(f"gone before {size} bytes came")

        def guest_import(session: Session, stream: Any) -> Guest:
            stream.read(1)
            return GUEST

        hypervisor = Hypervisor(guest_import, settings=self.SETTINGS)
        with pytest.raises(InvalidArguments, match="gone"):
            hypervisor.call("guest_import", stream=Gone(), size=3, storage_id=None)
        assert hypervisor.counts == {"sessions": 1, "busy_sessions": 0}


class Chunks:
    """An image whose parts can hang."""

    def __init__(self, gate: Gate, *, hangs_in: str) -> None:
        self._gate = gate
        self._hangs_in = hangs_in
        self._left = 2
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._hangs_in == "chunk" and self._left == 1:
            self._gate.wait()
        if not self._left:
            raise StopIteration
        self._left -= 1
        return b"x"

    def close(self) -> None:
        if self._hangs_in == "close":
            self._gate.wait()
        self.closed.set()


class TestExports:
    """The time limit of an export holds for each of its pieces."""

    def export(self, chunks: Chunks) -> tuple[Hypervisor, Any]:
        def guest_export(session: Session, guest_id: str) -> Export:
            return Export(chunks)

        hypervisor = Hypervisor(guest_export, settings=SHORT)
        return hypervisor, hypervisor.call("guest_export", guest_id="1").chunks

    def test_a_piece_that_does_not_come_ends_it(self, gate: Gate) -> None:
        source = Chunks(gate, hangs_in="chunk")
        hypervisor, chunks = self.export(source)
        assert next(chunks) == b"x"
        with pytest.raises(HypervisorTimeout):
            next(chunks)
        chunks.close()
        assert hypervisor.counts["busy_sessions"] == 0
        assert hypervisor.disconnected == []
        gate.open()
        wait_for(lambda: len(hypervisor.disconnected) == 1, what="the session to be logged out")
        assert source.closed.wait(20), "the thread that comes back closes the export"

    def test_closing_it_may_hang(self, gate: Gate) -> None:
        hypervisor, chunks = self.export(Chunks(gate, hangs_in="close"))
        assert next(chunks) == b"x"
        chunks.close()
        assert hypervisor.counts["busy_sessions"] == 0
        gate.open()
        wait_for(lambda: len(hypervisor.disconnected) == 1, what="the session to be logged out")

    def test_one_that_is_read_to_its_end_gives_its_session_back(self, gate: Gate) -> None:
        source = Chunks(gate, hangs_in="nothing")
        hypervisor, chunks = self.export(source)
        assert b"".join(chunks) == b"xx"
        assert source.closed.is_set()
        assert hypervisor.counts == {"sessions": 1, "busy_sessions": 0}

    def test_one_that_comes_too_late_is_closed(self, gate: Gate) -> None:
        source = Chunks(gate, hangs_in="nothing")

        def guest_export(session: Session, guest_id: str) -> Export:
            gate.wait()
            return Export(source)

        settings = HypervisorSettings(long_call_timeout_seconds=0.1)
        hypervisor = Hypervisor(guest_export, settings=settings)
        with pytest.raises(HypervisorTimeout):
            hypervisor.call("guest_export", guest_id="1")
        gate.open()
        assert source.closed.wait(20)
