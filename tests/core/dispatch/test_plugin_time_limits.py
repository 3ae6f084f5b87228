"""Time limits hold for all of a plugin's code in a call: what translates errors, what closes exports."""

from collections.abc import Iterator
from typing import Any

import pytest

from simplestack import Export, HypervisorSettings, HypervisorTimeout
from simplestack.dispatch.results import WrongResult
from simplestack.sessions.time_limits import Deadline, call_within
from support.dispatching import Gate, Hypervisor, Session

SHORT = HypervisorSettings(
    call_timeout_seconds=0.2, long_call_timeout_seconds=0.2, connect_timeout_seconds=0.2
)


@pytest.fixture
def gate() -> Iterator[Gate]:
    """Open it when the test is over."""
    gate = Gate()
    yield gate
    gate.open()


@pytest.mark.parametrize("place", ["hook", "chunk", "connect"])
def test_a_translation_that_hangs_counts_as_the_call(place: str, gate: Gate) -> None:
    def fail_in(here: str) -> None:
        if here == place:
            raise KeyError("an SDK's")

    def connect(*_: Any) -> Session:
        fail_in("connect")
        return Session(1, "admin", "secret", "h")

    def chunks() -> Iterator[bytes]:
        yield b"one"
        fail_in("chunk")

    def guest_export(session: Session, guest_id: str) -> Export:
        fail_in("hook")
        return Export(chunks())

    def translate(_error: Exception) -> None:
        gate.wait()

    hypervisor = Hypervisor(guest_export, connect=connect, translate=translate, settings=SHORT)
    with pytest.raises(HypervisorTimeout):
        list(hypervisor.call("guest_export", guest_id="1").chunks)
    assert hypervisor.counts["busy_sessions"] == 0


def test_a_wrong_export_that_cannot_be_closed_does_not_hold_the_call(gate: Gate) -> None:
    class Chunks:
        def __iter__(self) -> Iterator[bytes]:
            return iter(())

        def close(self) -> None:
            gate.wait()

    def guest_export(session: Session, guest_id: str) -> Export:
        return Export(Chunks(), -1)  # type: ignore[arg-type]  # an iterable will do

    settings = HypervisorSettings(call_timeout_seconds=0.2)  # the hook itself may take longer
    hypervisor = Hypervisor(guest_export, settings=settings)

    def call() -> None:
        hypervisor.call("guest_export", guest_id="1")

    with pytest.raises(WrongResult, match="size"):
        call_within(Deadline(10), call, lambda: lambda *_: None)
    assert hypervisor.counts["busy_sessions"] == 0
