"""Calls that were given up, and what waits for their end."""

import threading

import pytest

from simplestack import HypervisorTimeout
from simplestack.sessions.time_limits import Deadline, current_deadline
from simplestack_kvm.libvirtd.connection.abandoned import Abandoned
from simplestack_kvm.libvirtd.connection.own_thread import OwnThread, wait_seconds

PATIENCE_SECONDS = 20


def test_what_waits_is_done_in_order_when_the_last_call_has_ended() -> None:
    abandoned = Abandoned()
    done: list[str] = []
    assert not abandoned.is_set()
    abandoned.set()
    abandoned.set()
    abandoned.afterwards(lambda: done.append("first"))
    abandoned.afterwards(lambda: done.append("second"))
    abandoned.end()
    assert done == []
    abandoned.end()
    assert done == ["first", "second"]
    assert abandoned.is_set(), "the connection stays given up"
    abandoned.afterwards(lambda: done.append("third"))
    assert done == ["first", "second", "third"]


def test_what_fails_does_not_keep_the_rest_from_being_done(caplog: pytest.LogCaptureFixture) -> None:
    abandoned = Abandoned()
    done: list[str] = []
    abandoned.set()
    abandoned.afterwards(lambda: done[0])
    abandoned.afterwards(lambda: done.append("second"))
    abandoned.end()
    assert done == ["second"]
    assert "IndexError" in caplog.text


def test_a_thread_that_is_given_up_does_what_waits_for_it() -> None:
    abandoned = Abandoned()
    go_on, done = threading.Event(), threading.Event()
    names: list[str] = []
    thread = OwnThread("hanging", lambda: _wait(go_on), abandoned)
    token = current_deadline.set(Deadline(0))
    try:
        for _ in range(2):
            with pytest.raises(HypervisorTimeout, match="does not respond"):
                thread.wait()
    finally:
        current_deadline.reset(token)
    abandoned.afterwards(lambda: names.append(threading.current_thread().name))
    abandoned.afterwards(done.set)
    assert not done.is_set()
    go_on.set()
    assert done.wait(PATIENCE_SECONDS)
    assert names == ["hanging"]


def test_a_thread_that_ends_gives_nothing_up() -> None:
    abandoned = Abandoned()
    OwnThread("short", lambda: None, abandoned).wait()
    assert not abandoned.is_set()


@pytest.mark.parametrize(("left_seconds", "most_seconds"), [(100, 99), (5, 4.5), (0, 1), (-1, 1)])
def test_a_wait_ends_before_the_operation_does(left_seconds: float, most_seconds: float) -> None:
    assert wait_seconds() is None, "outside of an operation there is no limit"
    token = current_deadline.set(Deadline(left_seconds))
    try:
        assert wait_seconds() == pytest.approx(most_seconds, abs=0.5)
    finally:
        current_deadline.reset(token)


def _wait(event: threading.Event) -> None:
    event.wait(PATIENCE_SECONDS)
