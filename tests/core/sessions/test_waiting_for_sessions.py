"""A call that finds no session waits for one, and goes on as soon as there is one."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from simplestack import HypervisorSettings, HypervisorTimeout, HypervisorUnavailable
from simplestack.sessions import logouts
from support.dispatching import Gate, Hypervisor, Session, session_of, storage_info
from support.service import wait_for
from support.threads import in_threads

PATIENT = HypervisorSettings(max_sessions_per_host=1, connect_timeout_seconds=20)


@pytest.fixture
def gate() -> Iterator[Gate]:
    """Open it when the test is over."""
    gate = Gate()
    yield gate
    gate.open()


def unreaped(hypervisor: Hypervisor) -> Hypervisor:
    """Keep the reaper from starting: it wakes those who wait once a second, whoever forgot to."""
    hypervisor.dispatcher.pool._reaper = threading.current_thread()
    return hypervisor


def await_waiting(hypervisor: Hypervisor, count: int = 1) -> None:
    wait_for(lambda: hypervisor.dispatcher.pool._waiting == count, what=f"{count} calls to wait")


def test_for_one_that_is_released(gate: Gate) -> None:
    def host_list(session: Session) -> list[Any]:
        gate.wait()
        return []

    hypervisor = unreaped(Hypervisor(host_list, storage_info, settings=PATIENT))
    with in_threads(2) as start:
        call = start(hypervisor.call, "host_list")
        gate.await_arrivals()
        waiting = start(session_of, hypervisor)
        await_waiting(hypervisor)
        gate.open()
        assert (call.result(), waiting.result()) == ([], 1)
    await_waiting(hypervisor, 0)


def test_for_one_that_is_connecting_and_will_be_shared(gate: Gate) -> None:
    connected: list[Session] = []

    def connect(*_: Any) -> Session:
        gate.wait()
        connected.append(Session(len(connected) + 1, "admin", "", "h"))
        return connected[-1]

    hypervisor = unreaped(
        Hypervisor(storage_info, connect=connect, settings=PATIENT, shares_sessions=True, threads=None)
    )
    with in_threads(3) as start:
        calls = [start(session_of, hypervisor) for _ in range(3)]
        await_waiting(hypervisor, 2)
        gate.open()
        assert [call.result() for call in calls] == [1, 1, 1]
    assert len(connected) == 1


def test_and_not_for_one_that_is_connecting_and_cannot_be_shared(gate: Gate) -> None:
    def connect(*_: Any) -> Session:
        gate.wait()
        return Session(1, "admin", "", "h")

    hypervisor = Hypervisor(storage_info, connect=connect)
    with in_threads(2) as start:
        calls = [start(session_of, hypervisor) for _ in range(2)]
        gate.await_arrivals(2)
        gate.open()
        assert [call.result() for call in calls] == [1, 1]
    assert hypervisor.counts["sessions"] == 2


def test_and_gets_a_whole_copy_of_the_error_when_it_cannot_be_made(gate: Gate) -> None:
    attempts: list[Any] = []

    def connect(target: Any, *_: Any) -> None:
        attempts.append(target)
        gate.wait()
        raise HypervisorUnavailable("nobody is there", 7)

    hypervisor = unreaped(Hypervisor(storage_info, connect=connect, settings=PATIENT, shares_sessions=True))
    with in_threads(2) as start:
        calls = [start(session_of, hypervisor) for _ in range(2)]
        await_waiting(hypervisor)
        gate.open()
        errors = [call.exception() for call in calls]
    for error in errors:
        assert isinstance(error, HypervisorUnavailable)
        assert (error.message, error.details, error.retry_after_seconds) == ("nobody is there", {}, 7)
    assert errors[0] is not errors[1]
    assert len(attempts) == 1


def test_for_a_place_that_a_logout_frees(gate: Gate) -> None:
    hypervisor = unreaped(
        Hypervisor(storage_info, disconnect=lambda _session: gate.wait(), settings=PATIENT, max_sessions=1)
    )
    assert session_of(hypervisor, user="one") == 1
    assert_place_is_free_after_logout(hypervisor, gate)


def assert_place_is_free_after_logout(hypervisor: Hypervisor, gate: Gate) -> None:
    place = next(iter(hypervisor.dispatcher.pool._slots)).key.place
    hypervisor.dispatcher.pool.close_at(place, 0)
    gate.await_arrivals()
    with in_threads(1) as start:
        waiting = start(session_of, hypervisor, user="two")
        await_waiting(hypervisor)
        gate.open()
        assert waiting.result() == 2


def test_for_a_place_at_a_host_that_cannot_be_told_of_a_logout(
    monkeypatch: pytest.MonkeyPatch, gate: Gate
) -> None:
    monkeypatch.setattr(logouts, "_DELAYS_SECONDS", (0.0, 30.0))

    def disconnect(_session: Session) -> None:
        gate.wait()
        raise HypervisorTimeout("silent")

    hypervisor = unreaped(Hypervisor(storage_info, disconnect=disconnect, settings=PATIENT))
    assert session_of(hypervisor, user="one") == 1
    assert_place_is_free_after_logout(hypervisor, gate)


def test_for_a_place_of_a_call_that_has_hung_too_long(gate: Gate) -> None:
    def host_list(session: Session) -> list[Any]:
        gate.wait()
        return []

    settings = HypervisorSettings(
        max_sessions_per_host=1,
        connect_timeout_seconds=20,
        call_timeout_seconds=0.1,
        hung_timeout_seconds=0.01,
    )
    hypervisor = Hypervisor(host_list, storage_info, settings=settings)
    with pytest.raises(HypervisorTimeout):
        hypervisor.call("host_list")
    assert session_of(hypervisor) == 2


def test_no_longer_than_the_time_for_connecting_whatever_happens_meanwhile(gate: Gate) -> None:
    def host_list(session: Session) -> list[Any]:
        gate.wait()
        return []

    settings = HypervisorSettings(max_sessions_per_host=1, connect_timeout_seconds=0.2)
    hypervisor = unreaped(Hypervisor(host_list, storage_info, settings=settings))
    session_of(hypervisor, host="other")
    with in_threads(2) as start:
        call = start(hypervisor.call, "host_list")
        gate.await_arrivals()
        waiting = start(session_of, hypervisor)
        for _ in range(5000):
            session_of(hypervisor, host="other")
            if waiting.done():
                break
        gate.open()
        assert isinstance(waiting.exception(), HypervisorUnavailable)
        assert call.result() == []
