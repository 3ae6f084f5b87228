"""A session that an abandoned thread uses takes its place, until it is forgiven or comes back."""

from collections.abc import Iterator
from typing import Any

import pytest

from simplestack import HypervisorSettings, HypervisorTimeout, HypervisorUnavailable
from support.dispatching import Gate, Hypervisor, Session, session_of, storage_info
from support.service import wait_for

QUICK = HypervisorSettings(max_sessions_per_host=2, connect_timeout_seconds=0.2, call_timeout_seconds=0.2)


class TestHangingSessions:
    """A session that an abandoned thread uses takes its place, until it is forgiven or comes back."""

    @pytest.fixture
    def gate(self) -> Iterator[Gate]:
        gate = Gate()
        yield gate
        gate.open()

    def test_it_keeps_its_place_at_the_host(self, gate: Gate) -> None:
        def host_list(session: Session) -> list[Any]:
            gate.wait()
            return []

        settings = HypervisorSettings(
            max_sessions_per_host=1, connect_timeout_seconds=0.1, call_timeout_seconds=0.1
        )
        hypervisor = Hypervisor(host_list, storage_info, settings=settings)
        with pytest.raises(HypervisorTimeout, match=r"did not respond within 0\.1 s"):
            hypervisor.call("host_list")
        with pytest.raises(HypervisorUnavailable, match="1 of 1 sessions"):
            session_of(hypervisor)
        assert hypervisor.disconnected == [], "a thread still uses it"
        gate.open()
        wait_for(lambda: [session.number for session in hypervisor.disconnected] == [1], what="the logout")
        assert session_of(hypervisor) == 2

    def test_its_place_is_freed_once(self, gate: Gate) -> None:
        def host_list(session: Session) -> list[Any]:
            gate.wait()
            return []

        settings = HypervisorSettings(
            max_sessions_per_host=1,
            connect_timeout_seconds=0.2,
            call_timeout_seconds=0.1,
            hung_timeout_seconds=0.01,
        )
        hypervisor = Hypervisor(host_list, storage_info, settings=settings)
        with pytest.raises(HypervisorTimeout):
            hypervisor.call("host_list")
        # It is forgiven: another session takes its place, and hangs as well.
        wait_for(lambda: _is_timeout(hypervisor), what="the first one to be forgiven")
        # Both come back. Had either place been freed twice, two sessions could connect now.
        gate.open()
        wait_for(lambda: hypervisor.counts["sessions"] == 0, what="both to be logged out")
        assert not hypervisor.dispatcher.pool._slots._at

    def test_a_host_that_never_answers_cannot_take_the_places_of_all_others(self, gate: Gate) -> None:
        def host_list(session: Session) -> list[Any]:
            gate.wait()
            return []

        settings = HypervisorSettings(
            max_sessions_per_host=1,
            connect_timeout_seconds=0.1,
            call_timeout_seconds=0.1,
            hung_timeout_seconds=0.01,
        )
        hypervisor = Hypervisor(host_list, storage_info, settings=settings)
        assert _is_timeout(hypervisor)
        wait_for(lambda: _is_timeout(hypervisor), what="the first one to be forgiven")
        slots = hypervisor.dispatcher.pool._slots
        slots.forgive_hung()
        slots.forgive_hung()
        with pytest.raises(HypervisorUnavailable, match="1 of 1 sessions"):
            session_of(hypervisor)
        gate.open()
        wait_for(lambda: hypervisor.counts["sessions"] == 0, what="both to be logged out")
        assert session_of(hypervisor) == 3
        assert not +slots._forgiven

    def test_a_connection_that_hangs_is_logged_out_when_it_comes_back(self, gate: Gate) -> None:
        ended: list[str] = []

        def connect(*_: Any) -> str:
            gate.wait()
            return "late"

        hypervisor = Hypervisor(storage_info, connect=connect, disconnect=ended.append, settings=QUICK)
        with pytest.raises(HypervisorTimeout, match=r"cannot connect to \w+ within 0\.2 s"):
            session_of(hypervisor)
        assert hypervisor.counts["sessions"] == 1
        gate.open()
        wait_for(lambda: ended == ["late"], what="the logout")
        wait_for(lambda: hypervisor.counts["sessions"] == 0, what="its place to be free")

    def test_a_connection_that_hangs_and_then_fails_leaves_nothing(self, gate: Gate) -> None:
        def connect(*_: Any) -> str:
            gate.wait()
            raise HypervisorUnavailable("after all")

        ended: list[str] = []
        hypervisor = Hypervisor(storage_info, connect=connect, disconnect=ended.append, settings=QUICK)
        with pytest.raises(HypervisorTimeout):
            session_of(hypervisor)
        gate.open()
        wait_for(lambda: hypervisor.counts["sessions"] == 0, what="its place to be free")
        assert ended == []


def _is_timeout(hypervisor: Hypervisor) -> bool:
    try:
        hypervisor.call("host_list")
    except HypervisorTimeout:
        return True
    except HypervisorUnavailable:
        return False
    return False
