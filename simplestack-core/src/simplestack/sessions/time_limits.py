"""Time limits for calls that have none of their own.

A thread that blocks in a C library cannot be stopped. So the call runs in a daemon thread, and at the
deadline its caller abandons the thread: it stops waiting, and whoever lent the thread a session keeps that
session until the thread comes back.
"""

import math
import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError, wait
from contextvars import ContextVar, copy_context
from functools import partial
from queue import SimpleQueue
from threading import Lock
from typing import Any, TypeVar

from simplestack.sessions.call_threads import CallThreads

T = TypeVar("T")

#: Gets what a call returned or raised after it had been abandoned.
OnLate = Callable[[Any, BaseException | None], None]
#: How often a caller checks whether its deadline has moved.
_CHECK_SECONDS = 1.0

_threads = CallThreads()


class DeadlineExceeded(Exception):
    """The call did not return in time; its thread was abandoned."""


class Deadline:
    """When a call has to end. It can be moved, and suspended while the call waits for the client."""

    __slots__ = ("_at_seconds", "_is_over", "_lock", "limit_seconds")

    def __init__(self, limit_seconds: float) -> None:
        #: How much time was granted last.
        self.limit_seconds = limit_seconds
        self._at_seconds = time.monotonic() + limit_seconds
        self._is_over = False
        #: Between the thread that ends the call and the one that suspends its deadline.
        self._lock = Lock()

    @property
    def left_seconds(self) -> float:
        """How much time is left: infinite while suspended, negative afterwards."""
        return self._at_seconds - time.monotonic()

    def suspend(self) -> None:
        """Stop the clock until `restart`.

        :raises DeadlineExceeded: the call is abandoned, or about to be
        """
        with self._lock:
            if self._is_over:
                raise DeadlineExceeded
            self._at_seconds = math.inf

    def end_if_passed(self) -> bool:
        """Return whether no time is left; if so, the call cannot suspend the deadline any more."""
        with self._lock:
            self._is_over = self._at_seconds <= time.monotonic()
            return self._is_over

    def restart(self, limit_seconds: float) -> None:
        """Grant the call this much time from now on."""
        self.limit_seconds = limit_seconds
        self._at_seconds = time.monotonic() + limit_seconds


#: The deadline of the operation that this thread performs.
current_deadline: ContextVar[Deadline | None] = ContextVar("simplestack.deadline", default=None)


def time_left_seconds() -> float:
    """Return how long the operation that this thread performs may still take; infinite outside of one.

    A plugin that waits for the hypervisor, for a task to end for example, waits no longer than this and then
    undoes what it began: at the deadline core abandons the call, unless the plugin ``enforces_time_limits``.

    In a service plugin's ``operation_call``, it is the time that is left of the operation's limit since the
    call came. For each chunk of an export that the plugin has wrapped, it is ``call_timeout_seconds``.
    """
    deadline = current_deadline.get()
    return math.inf if deadline is None else deadline.left_seconds


def call_within(deadline: Deadline, function: Callable[[], T], on_abandon: Callable[[], OnLate]) -> T:
    """Call `function` in a daemon thread, which is abandoned at the deadline.

    :param on_abandon: called when the thread is abandoned; what it returns is called when the thread comes
        back after all
    :raises DeadlineExceeded: the call did not return in time
    """
    call: Future[T] = Future()
    late: SimpleQueue[OnLate] = SimpleQueue()
    try:
        _threads.run(partial(copy_context().run, _perform, function, call, late))
        while not call.done():
            left = deadline.left_seconds
            # A call that ends at this very moment can no longer be cancelled, and has a result.
            if left <= 0 and deadline.end_if_passed() and call.cancel():
                late.put(on_abandon())
                raise DeadlineExceeded
            wait([call], min(left, _CHECK_SECONDS))
        return call.result()
    except KeyboardInterrupt:  # in a script, while it waits
        if call.cancel():
            late.put(on_abandon())
        raise
    finally:
        # The traceback of an exception refers to this frame; a frame that refers to the exception as well
        # would keep both, and all handles in them, until the next garbage collection.
        del call


def call_or_abandon(
    limit_seconds: float, call: Callable[[], T], on_abandon: Callable[[], Callable[[], object]]
) -> T:
    """Return what a call of an SDK without time limits returns, or abandon it.

    The call runs in a thread that is kept for later calls: what a C library sets up in each new thread is
    there already. An abandoned call goes on for as long as it likes.

    :param on_abandon: called when the call is abandoned; what it returns is called when the call ends
    :raises DeadlineExceeded: the call did not return in time
    """

    def abandoned() -> OnLate:
        on_end = on_abandon()

        def ended(_result: object, _error: BaseException | None) -> None:
            on_end()

        return ended

    return call_within(Deadline(limit_seconds), call, abandoned)


def _perform(function: Callable[[], T], call: "Future[T]", late: "SimpleQueue[OnLate]") -> None:
    result: T | None = None
    error: BaseException | None = None
    try:
        result = function()
    except BaseException as raised:
        error = raised
    try:
        if error is None:
            call.set_result(result)  # type: ignore[arg-type]  # set whenever there is no error
        else:
            call.set_exception(error)
    except InvalidStateError:
        late.get()(result, error)
    finally:
        del call, error
