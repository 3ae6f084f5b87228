"""Time limits for calls that have none: they run in threads that can be left behind.

A thread that blocks in a C library cannot be stopped. So the caller stops waiting and the thread stays,
counted by whoever gave it a session, until the library lets go of it.
"""

import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")

#: Says what is to be done with a result that comes too late.
OnAbandon = Callable[[], Callable[[Any], None]]


class Abandoned(Exception):
    """The time was up before the call came back."""


class Progress:
    """Moves the end of a call's time: each sign of life grants it the whole limit again."""

    def __init__(self) -> None:
        self.last_seconds = time.monotonic()
        #: While it waits for the client, the hypervisor's clock stands still.
        self.waiting_for_client = False

    def touch(self) -> None:
        """Note a sign of life."""
        self.last_seconds = time.monotonic()


class GuardedCall(Generic[T]):
    """One call in a thread of its own."""

    def __init__(self, function: Callable[[], T], on_abandon: OnAbandon) -> None:
        """Start the call.

        :param on_abandon: called when the time is up; what it returns is called with the result, or None,
            when the call comes back after all
        """
        self._function = function
        self._on_abandon = on_abandon
        self._on_late: Callable[[Any], None] | None = None
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._result: T | None = None
        self._error: BaseException | None = None
        threading.Thread(target=self._run, name="simplestack-call", daemon=True).start()

    def result(self, limit_seconds: float, progress: Progress | None = None) -> T:
        """Wait for the call and return what it returns, or raise what it raises.

        :raises Abandoned: it did not come back within the limit
        """
        while not self._done.wait(limit_seconds):
            if progress is not None and (
                progress.waiting_for_client or time.monotonic() - progress.last_seconds < limit_seconds
            ):
                continue
            with self._lock:
                if not self._done.is_set():
                    self._on_late = self._on_abandon()
                    raise Abandoned
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]  # set whenever there is no error

    def _run(self) -> None:
        try:
            self._result = self._function()
        except BaseException as error:
            self._error = error
        with self._lock:
            self._done.set()
        if self._on_late is not None:
            self._on_late(self._result)


def call_within(
    limit_seconds: float,
    function: Callable[[], T],
    on_abandon: OnAbandon = lambda: _ignore,
    progress: Progress | None = None,
) -> T:
    """Call `function` in a thread that is left behind after `limit_seconds`.

    :raises Abandoned: it did not come back in time
    """
    return GuardedCall(function, on_abandon).result(limit_seconds, progress)


def _ignore(_late_result: Any) -> None:
    """Nobody waits for it any more."""
