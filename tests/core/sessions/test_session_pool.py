"""The pool of sessions, in this process: who gets which, how many there are, and when they end."""

import time
from typing import Any, Self

import pytest

from simplestack import (
    EntityNotFound,
    HypervisorSettings,
    HypervisorTimeout,
    HypervisorUnavailable,
    SessionExpired,
    Target,
)
from simplestack.identity.credentials import Credentials
from simplestack.sessions.maker import Place, SessionKey
from simplestack.sessions.slots import Slots
from support.dispatching import Gate, Hypervisor, Session, session_of, storage_info
from support.service import wait_for
from support.threads import in_threads

QUICK = HypervisorSettings(
    max_sessions_per_host=2, connect_timeout_seconds=0.2, call_timeout_seconds=0.2, hung_timeout_seconds=0.01
)


def test_a_session_serves_its_owner_again_and_nobody_else() -> None:
    hypervisor = Hypervisor(storage_info)
    assert session_of(hypervisor) == session_of(hypervisor) == 1
    assert session_of(hypervisor, user="other") == 2
    assert session_of(hypervisor, password="other") == 3
    assert session_of(hypervisor, host="other") == 4
    assert session_of(hypervisor) == 1


def test_user_and_password_are_told_apart_in_the_key_of_a_session() -> None:
    hypervisor = Hypervisor(storage_info)
    assert session_of(hypervisor, user="ab", password="c") == 1
    assert session_of(hypervisor, user="a", password="bc") == 2
    assert Credentials("ab", "c").digest() != Credentials("a", "bc").digest()
    assert Credentials("ab", "").digest() != Credentials("a", "b").digest()


def test_what_connect_returns_is_a_session_even_when_it_is_none() -> None:
    connects: list[str] = []

    def host_list(session: None) -> list[Any]:
        assert session is None
        return []

    def connect(target: Any, _credentials: Any, _settings: Any) -> None:
        connects.append(target.name)

    hypervisor = Hypervisor(host_list, connect=connect, settings=QUICK)
    assert hypervisor.call("host_list") == hypervisor.call("host_list") == []
    assert connects == ["h"]


def test_sessions_that_cannot_be_shared_are_bounded_for_each_host() -> None:
    gate = Gate()

    def host_list(session: Session) -> list[Any]:
        gate.wait()
        return []

    hypervisor = Hypervisor(host_list, storage_info, settings=QUICK, enforces_time_limits=True)
    with in_threads(2) as start:
        calls = [start(hypervisor.call, "host_list") for _ in range(2)]
        gate.await_arrivals(2)
        with pytest.raises(HypervisorUnavailable, match="2 of 2 sessions"):
            session_of(hypervisor)
        assert session_of(hypervisor, host="other") == 3
        gate.open()
        assert [call.result() for call in calls] == [[], []]
    assert len(hypervisor.connected) == 3


def test_a_call_that_waits_gets_the_session_that_is_released() -> None:
    gate = Gate()

    def host_list(session: Session) -> list[Any]:
        gate.wait()
        return []

    settings = HypervisorSettings(max_sessions_per_host=1, connect_timeout_seconds=20)
    hypervisor = Hypervisor(host_list, storage_info, settings=settings)
    with in_threads(2) as start:
        call = start(hypervisor.call, "host_list")
        gate.await_arrivals()
        waiting = start(session_of, hypervisor)
        wait_for(lambda: hypervisor.dispatcher.pool._waiting == 1, what="the second call to wait")
        gate.open()
        assert (call.result(), waiting.result()) == ([], 1)


def test_shared_sessions_serve_several_calls_at_once() -> None:
    gate = Gate()

    def host_list(session: Session) -> list[Any]:
        gate.wait()
        return []

    hypervisor = Hypervisor(host_list, settings=QUICK, shares_sessions=True, enforces_time_limits=True)
    with in_threads(3) as start:
        calls = [start(hypervisor.call, "host_list") for _ in range(3)]
        gate.await_arrivals(3)
        assert len(hypervisor.connected) == 1
        assert hypervisor.counts == {"sessions": 1, "busy_sessions": 1}
        gate.open()
        assert [call.result() for call in calls] == [[]] * 3
    assert hypervisor.counts == {"sessions": 1, "busy_sessions": 0}


def test_calls_that_wait_for_one_connection_get_its_error_each() -> None:
    gate = Gate()

    def connect(*_: Any) -> None:
        gate.wait()
        raise HypervisorUnavailable("nobody is there")

    settings = HypervisorSettings(connect_timeout_seconds=20)
    hypervisor = Hypervisor(storage_info, connect=connect, settings=settings, shares_sessions=True)
    with in_threads(3) as start:
        calls = [start(session_of, hypervisor) for _ in range(3)]
        gate.await_arrivals()
        wait_for(lambda: hypervisor.dispatcher.pool._waiting == 2, what="two calls to wait")
        gate.open()
        errors = [call.exception() for call in calls]
    assert [str(error) for error in errors] == ["nobody is there"] * 3
    assert len({id(error) for error in errors}) == 3, "threads must not share an exception"
    assert hypervisor.counts["sessions"] == 0


def test_a_connection_that_fails_with_any_exception_frees_its_place() -> None:
    class OddError(Exception):
        def __new__(cls, *, code: int) -> Self:
            return super().__new__(cls, code)

        def __init__(self, *, code: int) -> None:
            super().__init__(code)

    def connect(*_: Any) -> Session:
        raise OddError(code=7)

    hypervisor = Hypervisor(storage_info, connect=connect, settings=QUICK)
    for _ in range(3):
        with pytest.raises(OddError):
            session_of(hypervisor)
    assert hypervisor.counts["sessions"] == 0


def test_connections_of_one_hypervisor_that_are_being_made_are_bounded() -> None:
    gate = Gate()

    def connect(target: Target, *_: Any) -> Session:
        if target.name != "quick":
            gate.wait()
        return Session(1, "admin", "", target.name)

    hypervisor = Hypervisor(
        storage_info, connect=connect, threads=8, settings=HypervisorSettings(connect_timeout_seconds=20)
    )
    session_of(hypervisor, host="quick")
    with in_threads(4) as start:
        calls = [start(session_of, hypervisor, host=f"slow-{number}") for number in range(4)]
        gate.await_arrivals(4)
        with pytest.raises(HypervisorUnavailable, match="4 new connections to hosts of lab"):
            session_of(hypervisor, host="slow-4")
        assert session_of(hypervisor, host="quick") == 1
        gate.open()
        assert [call.result() for call in calls] == [1] * 4
    assert session_of(hypervisor, host="slow-4") == 1


def test_a_host_gets_a_quarter_of_the_connections_that_are_being_made() -> None:
    gate = Gate()

    def connect(target: Target, *_: Any) -> Session:
        gate.wait()
        return Session(1, "admin", "", target.name)

    hypervisor = Hypervisor(
        storage_info, connect=connect, threads=16, settings=HypervisorSettings(connect_timeout_seconds=20)
    )
    with in_threads(4) as start:
        calls = [start(session_of, hypervisor, host="slow") for _ in range(3)]
        gate.await_arrivals(2)
        wait_for(lambda: hypervisor.dispatcher.pool._waiting == 1, what="the third call to wait")
        calls.append(start(session_of, hypervisor, host="another"))
        gate.await_arrivals()
        assert hypervisor.counts["sessions"] == 3
        gate.open()
        assert [call.result() for call in calls] == [1] * 4


def test_a_call_that_waits_in_vain_for_a_host_that_is_slow_to_connect_to_is_told_so() -> None:
    gate = Gate()

    def connect(target: Target, *_: Any) -> Session:
        gate.wait()
        return Session(1, "admin", "", target.name)

    hypervisor = Hypervisor(
        storage_info, connect=connect, threads=8, settings=HypervisorSettings(connect_timeout_seconds=20)
    )
    with in_threads(2) as start:
        calls = [start(session_of, hypervisor, host="slow") for _ in range(2)]
        gate.await_arrivals()
        pool = hypervisor.dispatcher.pool
        wait_for(lambda: pool._waiting == 1, what="the second call to wait")
        (slot,) = pool._slots
        assert pool._slots.explain_full(slot.key, slot.maker) == (
            "no free session at slow, which is slow or does not respond: "
            "sessions that are still connecting: 1; try again later"
        )
        gate.open()
        assert [call.result() for call in calls] == [1, 1]


def test_the_session_that_was_idle_longest_makes_room() -> None:
    hypervisor = Hypervisor(storage_info, settings=HypervisorSettings(max_sessions_per_host=2))
    for user in ("a", "b", "a", "c"):
        session_of(hypervisor, user=user)
    wait_for(lambda: hypervisor.disconnected, what="a logout")
    assert [session.user for session in hypervisor.disconnected] == ["b"]
    assert session_of(hypervisor, user="a") == 1


def test_all_sessions_of_a_process_are_bounded() -> None:
    hypervisor = Hypervisor(storage_info, max_sessions=2)
    for host in ("one", "two", "three"):
        session_of(hypervisor, host=host)
    wait_for(lambda: hypervisor.disconnected, what="a logout")
    assert [session.host for session in hypervisor.disconnected] == ["one"]
    wait_for(lambda: hypervisor.counts["sessions"] == 2, what="its place to be free")


def test_no_idle_session_of_another_host_goes_where_that_makes_no_room() -> None:
    gate = Gate()

    def host_list(session: Session) -> list[Any]:
        gate.wait()
        return []

    settings = HypervisorSettings(max_sessions_per_host=1, connect_timeout_seconds=0.1)
    hypervisor = Hypervisor(host_list, storage_info, settings=settings)
    session_of(hypervisor, host="idle")
    with in_threads(1) as start:
        call = start(hypervisor.call, "host_list", host="busy")
        gate.await_arrivals()
        with pytest.raises(HypervisorUnavailable):
            session_of(hypervisor, host="busy")
        gate.open()
        assert call.result() == []
    assert session_of(hypervisor, host="idle") == 1
    assert hypervisor.disconnected == []


def test_an_idle_session_expires_after_its_time_and_not_before() -> None:
    hypervisor = Hypervisor(storage_info, settings=HypervisorSettings(idle_timeout_seconds=50))
    session_of(hypervisor)
    (slot,) = hypervisor.dispatcher.pool._slots
    assert not slot.has_expired(time.monotonic() + 45)
    assert slot.has_expired(time.monotonic() + 51)


def test_idle_time_counts_from_the_last_use_and_not_from_connecting() -> None:
    hypervisor = Hypervisor(storage_info, settings=HypervisorSettings(idle_timeout_seconds=50))
    session_of(hypervisor)
    (slot,) = hypervisor.dispatcher.pool._slots
    slot.idle_since_seconds -= 100
    assert slot.has_expired(time.monotonic())
    session_of(hypervisor)
    assert not slot.has_expired(time.monotonic())


def test_sessions_that_expired_are_logged_out_and_others_stay() -> None:
    hypervisor = Hypervisor(storage_info, settings=HypervisorSettings(idle_timeout_seconds=50))
    session_of(hypervisor, user="stays")
    session_of(hypervisor, user="goes")
    slot = next(slot for slot in hypervisor.dispatcher.pool._slots if slot.session.user == "goes")
    slot.idle_since_seconds -= 100
    wait_for(lambda: hypervisor.disconnected, what="the logout")
    assert [session.user for session in hypervisor.disconnected] == ["goes"]
    assert session_of(hypervisor, user="stays") == 1


def test_a_dead_session_is_replaced_however_many_there_are() -> None:
    dead: set[int] = set()
    gate = Gate()

    def host_list(session: Session) -> list[Any]:
        gate.wait()
        return []

    hypervisor = Hypervisor(host_list, storage_info, check=lambda session: session.number not in dead)
    with in_threads(3) as start:
        calls = [start(hypervisor.call, "host_list") for _ in range(3)]
        gate.await_arrivals(3)
        gate.open()
        assert [call.result() for call in calls] == [[]] * 3
    dead |= {1, 2, 3}
    assert session_of(hypervisor) == 4
    wait_for(lambda: len(hypervisor.disconnected) == 3, what="the dead ones to be logged out")
    assert hypervisor.counts == {"sessions": 1, "busy_sessions": 0}


def test_a_session_whose_check_raises_is_replaced() -> None:
    def check(_session: Session) -> bool:
        raise RuntimeError("no idea")

    hypervisor = Hypervisor(storage_info, check=check)
    assert (session_of(hypervisor), session_of(hypervisor)) == (1, 2)


def test_a_new_session_is_not_checked() -> None:
    hypervisor = Hypervisor(storage_info, check=lambda _session: False)
    assert session_of(hypervisor) == 1


def test_a_session_that_the_hypervisor_forgot_is_replaced_once_with_all_others_of_its_owner() -> None:
    forgotten: set[int] = set()
    gate = Gate()

    def host_list(session: Session) -> list[Any]:
        gate.wait()
        return []

    def host_info(session: Session, host_id: str) -> Any:
        if session.number in forgotten:
            raise SessionExpired("forgotten")
        raise EntityNotFound("Host", str(session.number))

    hypervisor = Hypervisor(host_list, host_info, storage_info)
    with in_threads(2) as start:
        calls = [start(hypervisor.call, "host_list") for _ in range(2)]
        gate.await_arrivals(2)
        gate.open()
        assert [call.result() for call in calls] == [[], []]
    assert session_of(hypervisor, user="other") == 3
    forgotten |= {1, 2}
    with pytest.raises(EntityNotFound, match="Host:4"):
        hypervisor.call("host_info", host_id="x")
    wait_for(lambda: len(hypervisor.disconnected) == 2, what="both to be logged out")
    assert session_of(hypervisor, user="other") == 3
    forgotten.add(4)
    forgotten.add(5)
    with pytest.raises(SessionExpired):
        hypervisor.call("host_info", host_id="x")


@pytest.mark.parametrize("error", [HypervisorUnavailable("broke"), HypervisorTimeout("silent")])
def test_a_session_that_broke_is_replaced(error: Exception) -> None:
    def host_list(session: Session) -> list[Any]:
        raise error

    hypervisor = Hypervisor(host_list, storage_info)
    with pytest.raises(type(error)):
        hypervisor.call("host_list")
    assert session_of(hypervisor) == 2
    wait_for(lambda: [session.number for session in hypervisor.disconnected] == [1], what="the logout")


def test_a_session_survives_errors_that_are_not_its_own() -> None:
    def host_list(session: Session) -> list[Any]:
        raise EntityNotFound("Pool", "1")

    hypervisor = Hypervisor(host_list, storage_info)
    with pytest.raises(EntityNotFound):
        hypervisor.call("host_list")
    assert session_of(hypervisor) == 1


def test_pool_and_slots_show_what_they_hold_and_no_secret() -> None:
    hypervisor = Hypervisor(storage_info)
    pool = hypervisor.dispatcher.pool
    assert repr(pool) == "<SessionPool of 0 sessions>"
    session_of(hypervisor, password="hunter2")
    session_of(hypervisor, host="other")
    session_of(hypervisor, host="other", user="x")
    assert repr(pool) == "<SessionPool of 3 sessions: h 1, other 2>"
    slots = Slots(max_sessions=1, max_connecting=4)
    maker: Any = None  # it is not asked
    slot = slots.add(SessionKey(Place("lab", "h"), b"digest"), maker)
    assert repr(slot) == "<Slot of lab at h: connecting, users=1>"
    slot.session, slot.is_connected, slot.users, slot.broken = "s3cret", True, 0, True
    assert repr(slot) == "<Slot of lab at h: broken, idle>"
