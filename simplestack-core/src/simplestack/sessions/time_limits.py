"""Time limits for calls of SDKs that have none.

A thread that blocks in a C library cannot be stopped. So the call runs in a daemon thread. At the deadline,
the caller stops waiting and abandons the thread. Its session cannot be used again.
"""

import math
import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError, wait
from contextvars import ContextVar, copy_context
from functools import partial
from queue import SimpleQueue
from threading import Lock
from typing import Any, Protocol, TypeVar

from simplestack.sessions.call_threads import CallThreads

T = TypeVar("T")

#: Called with the result and the error of an abandoned call.
OnLate = Callable[[Any, BaseException | None], None]
#: How often a caller checks whether the deadline has moved.
_CHECK_SECONDS = 1.0

_threads = CallThreads()


class DeadlineExceeded(Exception):
    """The call did not return in time, and its thread was abandoned."""


class Deadline:
    """The deadline of a call. It can be moved, and suspended while the call waits for the client."""

    __slots__ = ("_at_seconds", "_is_over", "_lock", "limit_seconds")

    def __init__(self, limit_seconds: float) -> None:
        #: The current time limit.
        self.limit_seconds = limit_seconds
        self._at_seconds = time.monotonic() + limit_seconds
        self._is_over = False
        #: Protects ending a call against suspending its deadline in another thread.
        self._lock = Lock()

    @property
    def left_seconds(self) -> float:
        """Remaining time: infinite while suspended, negative after the deadline."""
        return self._at_seconds - time.monotonic()

    def suspend(self) -> None:
        """Stop the clock until `restart`.

        :raises DeadlineExceeded: the call has been abandoned, or is being abandoned
        """
        with self._lock:
            if self._is_over:
                raise DeadlineExceeded
            self._at_seconds = math.inf

    def end_if_passed(self) -> bool:
        """Return whether the deadline has passed. After that, the call cannot suspend it."""
        with self._lock:
            self._is_over = self._at_seconds <= time.monotonic()
            return self._is_over

    def restart(self, limit_seconds: float) -> None:
        """Set the deadline to this time from now."""
        self.limit_seconds = limit_seconds
        self._at_seconds = time.monotonic() + limit_seconds


class Limited(Protocol):
    """What has a time limit: a deadline, or an operation including its service plugins."""

    @property
    def left_seconds(self) -> float:
        """How much time is left, negative afterwards."""
        ...


#: The time limit of the code that this thread runs for an operation.
current_deadline: ContextVar[Limited | None] = ContextVar("simplestack.deadline", default=None)


def time_left_seconds() -> float:
    """Return the remaining time of the current thread's operation; infinite outside of an operation.

    A plugin that waits for the hypervisor, for example for a task, must stop waiting in this time and undo
    what it has started. At the deadline core abandons the call, unless the plugin ``enforces_time_limits``.

    In a service plugin's ``operation_call``, it is the remaining time of the operation since the call
    arrived. For each chunk of an export that the plugin has wrapped, it is ``call_timeout_seconds``.
    """
    deadline = current_deadline.get()
    return math.inf if deadline is None else deadline.left_seconds


def call_within(deadline: Deadline, function: Callable[[], T], on_abandon: Callable[[], OnLate]) -> T:
    """Call `function` in a daemon thread. Abandon the thread at the deadline.

    :param on_abandon: called when the thread is abandoned. It returns a function to call when the thread
        returns
    :raises DeadlineExceeded: the call did not return in time
    """
    call: Future[T] = Future()
    late: SimpleQueue[OnLate] = SimpleQueue()
    try:
        _threads.run(partial(copy_context().run, _perform, function, call, late))
        while not call.done():
            left = deadline.left_seconds
            # A call that has just ended cannot be cancelled, and has a result.
            if left <= 0 and deadline.end_if_passed() and call.cancel():
                late.put(on_abandon())
                raise DeadlineExceeded
            wait([call], min(left, _CHECK_SECONDS))
        return call.result()
    except KeyboardInterrupt:  # in a script that waits
        if call.cancel():
            late.put(on_abandon())
        raise
    finally:
        # A reference cycle between the exception and this frame would keep handles open until the next
        # garbage collection.
        del call


def call_or_abandon(
    limit_seconds: float, call: Callable[[], T], on_abandon: Callable[[], Callable[[], object]]
) -> T:
    """Run a call of an SDK in a daemon thread, and return its result. Abandon the thread at the time limit.

    Threads are reused, which is faster for some C libraries. An abandoned call keeps running until it ends by
    itself.

    :param on_abandon: called when the call is abandoned. It returns a function to call when the call ends
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
