"""When a session ends, how often, and what is left of it: nothing."""

import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from simplestack import Credentials, HypervisorSettings, HypervisorTimeout, HypervisorUnavailable, Target
from simplestack.dispatch.call import make_call
from simplestack.dispatch.plugin_errors import PluginExit
from simplestack.entities.call_context import CallContext
from simplestack.sessions.maker import Place
from support.dispatching import NAME, Gate, Hypervisor, Session, session_of, storage_info
from support.service import wait_for
from support.threads import in_threads


@pytest.fixture
def gate() -> Iterator[Gate]:
    """Open it when the test is over."""
    gate = Gate()
    yield gate
    gate.open()


def nothing_is_left(hypervisor: Hypervisor) -> bool:
    pool, slots = hypervisor.dispatcher.pool, hypervisor.dispatcher.pool._slots
    kept = slots._slots, slots._counted, slots._hung, slots._at, +slots._connecting, pool._logouts._threads
    return not any(kept)


def test_nothing_is_left_of_sessions_that_ended() -> None:
    def host_list(session: Session) -> list[Any]:
        raise HypervisorUnavailable("broke")

    hypervisor = Hypervisor(host_list, storage_info)
    for user in ("one", "two"):
        session_of(hypervisor, user=user)
    assert not nothing_is_left(hypervisor)
    with pytest.raises(HypervisorUnavailable):
        hypervisor.call("host_list", user="one")
    hypervisor.dispatcher.close(20)
    assert len(hypervisor.disconnected) == 2
    assert nothing_is_left(hypervisor)  # each thread of a logout has ended


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (HypervisorUnavailable("nobody"), HypervisorUnavailable),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (SystemExit(1), PluginExit),
    ],
)
def test_nothing_is_left_of_a_session_that_could_not_be_made(
    error: BaseException, expected: type[BaseException]
) -> None:
    def connect(*_: Any) -> Session:
        raise error

    hypervisor = Hypervisor(storage_info, connect=connect)
    with pytest.raises(expected) as caught:
        session_of(hypervisor)
    assert caught.value.__cause__ is (None if caught.value is error else error)
    assert expected is not PluginExit or str(caught.value).startswith("plugin 'lab' raised SystemExit")
    assert nothing_is_left(hypervisor)


def test_an_error_of_connect_is_translated() -> None:
    error, known = KeyError("1"), HypervisorUnavailable("translated")

    def connect(*_: Any) -> Session:
        raise error

    with pytest.raises(HypervisorUnavailable) as caught:
        session_of(Hypervisor(storage_info, connect=connect, translate=lambda _error: known))
    assert caught.value is known
    assert known.__cause__ is error


def test_a_shared_session_that_broke_is_logged_out_once_when_its_last_user_releases_it(gate: Gate) -> None:
    def storage_list(session: Session) -> list[Any]:
        gate.wait()
        return []

    def host_list(session: Session) -> list[Any]:
        raise HypervisorUnavailable("broke")

    hypervisor = Hypervisor(storage_list, host_list, storage_info, shares_sessions=True)
    with in_threads(1) as start:
        call = start(hypervisor.call, "storage_list")
        gate.await_arrivals()
        with pytest.raises(HypervisorUnavailable):
            hypervisor.call("host_list")
        assert session_of(hypervisor) == 2
        assert hypervisor.disconnected == [], "a call still uses it"
        gate.open()
        assert call.result() == []
    wait_for(lambda: hypervisor.counts == {"sessions": 1, "busy_sessions": 0}, what="the logout")
    assert [session.number for session in hypervisor.disconnected] == [1]


def test_a_shared_session_is_logged_out_once_when_its_last_abandoned_call_comes_back(gate: Gate) -> None:
    second = Gate()

    def storage_list(session: Session) -> list[Any]:
        second.wait()
        return []

    def host_list(session: Session) -> list[Any]:
        gate.wait()
        return []

    settings = HypervisorSettings(call_timeout_seconds=0.3)
    hypervisor = Hypervisor(storage_list, host_list, settings=settings, shares_sessions=True)
    with in_threads(2) as start:
        calls = [start(hypervisor.call, hook) for hook in ("host_list", "storage_list")]
        gate.await_arrivals()
        second.await_arrivals()
        for call in calls:
            assert isinstance(call.exception(), HypervisorTimeout)
    (first,) = set(hypervisor.dispatcher.pool._slots._counted)
    assert first.abandoned_calls == 2
    gate.open()
    wait_for(lambda: first.abandoned_calls == 1, what="the first call to come back")
    assert hypervisor.disconnected == [], "the second one still uses it"
    second.open()
    wait_for(lambda: nothing_is_left(hypervisor), what="the logout")
    assert [session.number for session in hypervisor.disconnected] == [1]


def test_idle_sessions_of_one_host_are_logged_out_by_the_time_that_is_asked_for() -> None:
    hypervisor = Hypervisor(storage_info)
    for host in ("one", "two"):
        session_of(hypervisor, host=host)
    hypervisor.dispatcher.pool.close_at(Place(NAME, "one"), 20)
    assert [session.host for session in hypervisor.disconnected] == ["one"]
    assert session_of(hypervisor, host="two") == 2


def test_a_host_that_hangs_in_a_logout_is_waited_for_no_longer_than_that(gate: Gate) -> None:
    hypervisor = Hypervisor(storage_info, disconnect=lambda _session: gate.wait())
    session_of(hypervisor)
    hypervisor.dispatcher.pool.close_at(Place(NAME, "h"), 0.05)
    assert hypervisor.counts["sessions"] == 1


class TestBounds:
    """What makes room for one more session, and what does not."""

    def test_one_that_makes_room_at_its_host_makes_room_among_all(self) -> None:
        hypervisor = Hypervisor(
            storage_info, max_sessions=2, settings=HypervisorSettings(max_sessions_per_host=1)
        )
        assert session_of(hypervisor, host="a", user="one") == 1
        assert session_of(hypervisor, host="b", user="one") == 2
        assert session_of(hypervisor, host="a", user="two") == 3
        assert session_of(hypervisor, host="b", user="one") == 2, "it need not go"
        wait_for(lambda: hypervisor.counts["sessions"] == 2, what="the logout")
        assert [session.number for session in hypervisor.disconnected] == [1]

    def test_another_one_goes_while_those_that_are_logged_out_take_its_place(self, gate: Gate) -> None:
        hypervisor = Hypervisor(
            storage_info,
            disconnect=lambda _session: gate.wait(),
            max_sessions=2,
            settings=HypervisorSettings(max_sessions_per_host=1, connect_timeout_seconds=0.1),
        )
        for host in ("a", "b", "c"):
            session_of(hypervisor, host=host)
        assert hypervisor.counts["sessions"] == 3, "that at a is being logged out"
        assert session_of(hypervisor, host="c", user="two") == 4
        gate.await_arrivals(3)  # those at a, at b and the first one at c
        with pytest.raises(HypervisorUnavailable, match="4 of 2 at all hosts"):
            session_of(hypervisor, host="d")
        gate.open()
        wait_for(lambda: hypervisor.counts["sessions"] == 1, what="the logouts")
        assert session_of(hypervisor, host="d") == 5

    def test_a_host_that_hangs_in_logouts_gets_no_more_than_twice_its_sessions(self, gate: Gate) -> None:
        hypervisor = Hypervisor(
            storage_info,
            disconnect=lambda _session: gate.wait(),
            settings=HypervisorSettings(max_sessions_per_host=2, connect_timeout_seconds=0.1),
        )
        for number in range(4):
            session_of(hypervisor, user=f"user-{number}")
        with pytest.raises(HypervisorUnavailable, match="4 of 2 sessions"):
            session_of(hypervisor, user="one more")
        assert session_of(hypervisor, host="other") == 5
        gate.open()
        wait_for(lambda: hypervisor.counts["sessions"] == 3, what="the logouts")
        assert session_of(hypervisor, user="one more") == 6

    def test_no_more_sessions_than_allowed_are_in_use(self, gate: Gate) -> None:
        def host_list(session: Session) -> list[Any]:
            gate.wait()
            return []

        hypervisor = Hypervisor(
            host_list,
            storage_info,
            max_sessions=2,
            settings=HypervisorSettings(connect_timeout_seconds=0.1),
        )
        with in_threads(2) as start:
            calls = [start(hypervisor.call, "host_list", host=host) for host in ("a", "b")]
            gate.await_arrivals(2)
            with pytest.raises(HypervisorUnavailable, match=r"at c: 0 of 8 .* 2 of 2 at all hosts"):
                session_of(hypervisor, host="c")
            gate.open()
            assert [call.result() for call in calls] == [[], []]


class TestHungSessions:
    """A session that hangs keeps its place at the host for a while, and counts among all until it ends."""

    def test_a_connection_that_hangs_keeps_its_place_for_a_while(self, gate: Gate) -> None:
        hanging = threading.Event()

        def connect(target: Any, *_: Any) -> Session:
            if not hanging.is_set():
                hanging.set()
                gate.wait()
            return Session(1, "admin", "", target.name)

        settings = HypervisorSettings(
            max_sessions_per_host=1, connect_timeout_seconds=0.1, hung_timeout_seconds=60
        )
        hypervisor = Hypervisor(storage_info, connect=connect, settings=settings)
        with pytest.raises(HypervisorTimeout):
            session_of(hypervisor)
        slots = hypervisor.dispatcher.pool._slots
        slots.forgive_hung()
        with pytest.raises(HypervisorUnavailable, match="1 of 1 sessions"):
            session_of(hypervisor)
        for slot in slots._hung:
            slots._hung[slot] -= 61
        slots.forgive_hung()
        assert session_of(hypervisor) == 1
        assert hypervisor.counts["sessions"] == 2

    def test_nobody_waits_for_a_connection_that_hangs(self, gate: Gate) -> None:
        def connect(*_: Any) -> Session:
            gate.wait()
            return Session(1, "admin", "", "h")

        settings = HypervisorSettings(connect_timeout_seconds=0.1)
        hypervisor = Hypervisor(storage_info, connect=connect, settings=settings, shares_sessions=True)
        for _ in range(2):
            with pytest.raises(HypervisorTimeout, match=r"cannot connect to \w+ within 0\.1 s"):
                session_of(hypervisor)
        gate.await_arrivals(2)

    def test_an_abandoned_session_is_lent_to_nobody_and_ends_when_its_call_comes_back(self) -> None:
        hypervisor = Hypervisor(storage_info, shares_sessions=True)
        pool = hypervisor.dispatcher.pool
        context = CallContext(hypervisor=NAME, host="h", user="admin", request_id="-")
        call = make_call(context, Target("h"), Credentials("admin", "secret"))
        connector = hypervisor.dispatcher._connector(call)
        slot, _ = pool.take(call.key, connector, call)
        came_back = pool.abandon(slot)
        assert session_of(hypervisor) == 2
        pool.release(slot)
        assert hypervisor.disconnected == [], "a thread still uses it"
        came_back()
        wait_for(lambda: [session.number for session in hypervisor.disconnected] == [1], what="the logout")

    def test_a_logout_that_hangs_keeps_its_place_for_a_while(self, gate: Gate) -> None:
        settings = HypervisorSettings(
            max_sessions_per_host=1, connect_timeout_seconds=0.1, hung_timeout_seconds=60
        )
        hypervisor = Hypervisor(storage_info, disconnect=lambda _session: gate.wait(), settings=settings)
        session_of(hypervisor)
        hypervisor.dispatcher.pool.close_at(Place(NAME, "h"), 0)
        slots = hypervisor.dispatcher.pool._slots
        with pytest.raises(HypervisorUnavailable, match="1 of 1 sessions"):
            session_of(hypervisor)
        for slot in slots._hung:
            slots._hung[slot] -= 61
        slots.forgive_hung()
        assert session_of(hypervisor) == 2


def test_threads_that_hang_keep_no_process_alive(gate: Gate) -> None:
    def host_list(session: Session) -> list[Any]:
        gate.wait()
        return []

    settings = HypervisorSettings(call_timeout_seconds=0.1)
    hypervisor = Hypervisor(
        host_list, storage_info, disconnect=lambda _session: gate.wait(), settings=settings
    )
    session_of(hypervisor, host="other")
    hypervisor.dispatcher.pool.close_at(Place(NAME, "other"), 0)
    with pytest.raises(HypervisorTimeout):
        hypervisor.call("host_list")
    gate.await_arrivals(2)
    names = {"simplestack-call", "simplestack-logout"}
    hanging = [thread for thread in threading.enumerate() if thread.name in names]
    assert {thread.name for thread in hanging} == names
    assert all(thread.daemon for thread in hanging)


class TestReaper:
    """One thread of a pool looks after idle sessions, until the pool is closed."""

    def test_there_is_one_however_many_sessions_there_are(self) -> None:
        before = set(threading.enumerate())
        hypervisor = Hypervisor(storage_info)
        for user in ("one", "two"):
            session_of(hypervisor, user=user)
        reapers = [
            thread for thread in set(threading.enumerate()) - before if thread.name == "simplestack-reaper"
        ]
        assert reapers == [hypervisor.dispatcher.pool._reaper]
        assert reapers[0].daemon, "it keeps no process alive"
        hypervisor.dispatcher.close(20)
        reapers[0].join(20)
        assert not reapers[0].is_alive()


def test_ctrl_c_abandons_a_call_and_its_session_ends_when_it_comes_back(gate: Gate) -> None:
    def host_list(session: Session) -> list[Any]:
        signal.raise_signal(signal.SIGINT)
        gate.wait()
        return []

    hypervisor = Hypervisor(host_list, storage_info)
    with pytest.raises(KeyboardInterrupt):
        hypervisor.call("host_list")
    assert hypervisor.counts == {"sessions": 1, "busy_sessions": 0}
    assert session_of(hypervisor) == 2
    assert hypervisor.disconnected == [], "a thread still uses it"
    gate.open()
    wait_for(lambda: [session.number for session in hypervisor.disconnected] == [1], what="the logout")
