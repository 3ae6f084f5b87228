"""Threads that perform calls are kept for the next calls, and nothing of a call is left in them."""

import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator

import pytest

from simplestack.sessions import call_threads
from simplestack.sessions.call_threads import CallThreads
from support.dispatching import Gate
from support.service import wait_for

FORKED = """
import os, threading
from simplestack.sessions.call_threads import CallThreads

def performs():
    done = threading.Event()
    threads.run(done.set)
    return done.wait(20)

threads = CallThreads()
in_parent = performs()
while not threads._idle:
    pass
child = os.fork()
is_performed = performs()
if child == 0:
    os._exit(not is_performed)
_, status = os.waitpid(child, 0)
print(in_parent, is_performed, status)
"""


@pytest.fixture
def gate() -> Iterator[Gate]:
    """Open it when the test is over."""
    gate = Gate()
    yield gate
    gate.open()


@pytest.fixture
def threads() -> CallThreads:
    return CallThreads()


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let threads wait a second for their next call."""
    monkeypatch.setattr(call_threads, "_IDLE_SECONDS", 1.0)


def thread_of_a_call(threads: CallThreads) -> threading.Thread:
    """Make a call, and return its thread when that waits for another one."""
    found: list[threading.Thread] = []
    idle = max(1, len(threads._idle))
    threads.run(lambda: found.append(threading.current_thread()))
    wait_for(lambda: found and len(threads._idle) == idle, what="the thread to wait for another call")
    return found[0]


def test_the_next_call_gets_the_same_thread(threads: CallThreads) -> None:
    first = thread_of_a_call(threads)
    assert first is not threading.current_thread()
    assert (first.daemon, first.name) == (True, "simplestack-call")
    assert thread_of_a_call(threads) is first


def test_a_thread_that_hangs_gets_no_other_call_until_it_returns(threads: CallThreads, gate: Gate) -> None:
    hanging = thread_of_a_call(threads)
    threads.run(gate.wait)
    gate.await_arrivals()
    another = thread_of_a_call(threads)
    assert another is not hanging
    gate.open()
    wait_for(lambda: len(threads._idle) == 2, what="both threads to wait")
    assert thread_of_a_call(threads) is hanging, "the one that was busy last"


@pytest.mark.usefixtures("impatience")
def test_a_thread_that_waits_in_vain_ends(threads: CallThreads) -> None:
    first = thread_of_a_call(threads)
    first.join(20)
    assert not first.is_alive()
    assert thread_of_a_call(threads) is not first


@pytest.mark.usefixtures("impatience")
def test_a_thread_that_is_taken_when_it_is_about_to_end_performs_the_call(threads: CallThreads) -> None:
    first = thread_of_a_call(threads)
    jobs = threads._idle.pop()  # as `run` does, before it hands over the job
    assert not threading.Event().wait(1.5)  # longer than the thread waits
    done = threading.Event()
    jobs.put(done.set)
    assert done.wait(20)
    assert first.is_alive()


def test_a_thread_that_waits_keeps_nothing_of_its_last_call(threads: CallThreads) -> None:
    class Handle:
        def __call__(self) -> None:
            pass

    job = Handle()
    reference = weakref.ref(job)
    threads.run(job)
    del job
    wait_for(lambda: threads._idle, what="the thread to wait")
    assert reference() is None


def test_a_forked_child_has_threads_of_its_own() -> None:
    # A process with threads that forks is warned about since Python 3.12; that it forks is the point.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKED]
    ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert ran.stdout == "True True 0\n", ran.stderr
