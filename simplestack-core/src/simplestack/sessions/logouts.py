"""Logging sessions out: aside from requests, and again when the host did not answer."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable

from simplestack.errors import SimplestackError
from simplestack.sessions.maker import Place
from simplestack.sessions.slots import Slot

_log = logging.getLogger("simplestack.sessions")

#: How long to wait before each attempt. A host that is down for a minute keeps no sessions of ours.
_DELAYS_SECONDS = (0.0, 5.0, 15.0, 60.0)


def join(threads: Iterable[threading.Thread], limit_seconds: float) -> None:
    """Wait for threads to end, for so long in all."""
    deadline = time.monotonic() + limit_seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))


def _text(error: Exception) -> str:
    """Say what went wrong. The text of an error of an SDK's may quote the session, which is a secret."""
    return error.message if isinstance(error, SimplestackError) else type(error).__name__


class Logouts:
    """The sessions that are being logged out, each in a thread of its own: no slow host delays another.

    There are never more threads than the pool has sessions.
    """

    def __init__(self, on_failed: Callable[[Slot], None], on_end: Callable[[Slot], None]) -> None:
        """Start without any.

        :param on_failed: called when an attempt failed and another one will follow
        :param on_end: called once for each slot whose session is gone, or was given up
        """
        self._on_failed = on_failed
        self._on_end = on_end
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._threads: set[threading.Thread] = set()
        #: How many sessions wait for another attempt, by host.
        self._waiting: Counter[Place] = Counter()

    def add(self, slot: Slot) -> threading.Thread:
        """Log a session out that nobody uses or finds any more; return the thread that does it."""
        thread = threading.Thread(target=self._run, args=(slot,), name="simplestack-logout", daemon=True)
        with self._lock:
            self._threads.add(thread)
        thread.start()
        return thread

    def close(self, limit_seconds: float) -> None:
        """Try those that wait for another attempt at once, for the last time, and wait for all.

        A session that cannot be logged out now has no end: `on_end` is not called for it.

        :param limit_seconds: how long to wait for the hosts
        """
        self._closing.set()
        with self._lock:
            threads = list(self._threads)
        join(threads, limit_seconds)

    def _run(self, slot: Slot) -> None:
        if self._log_out(slot) or not self._closing.is_set():
            self._on_end(slot)
        with self._lock:
            self._threads.discard(threading.current_thread())

    def _log_out(self, slot: Slot) -> bool:
        """Try until it succeeds; tell whether it did."""
        target = slot.key.target
        is_waiting = False
        try:
            for attempt, delay_seconds in enumerate(_DELAYS_SECONDS, start=1):
                is_last = self._closing.wait(delay_seconds) or attempt == len(_DELAYS_SECONDS)
                try:
                    slot.maker.disconnect(slot.session)
                except Exception as error:
                    is_waiting = is_waiting or (not is_last and self._may_wait(slot))
                    if is_last or not is_waiting:
                        _log.warning(
                            "could not log out of %s, gave up after attempt %d: %s",
                            target,
                            attempt,
                            _text(error),
                        )
                        return False
                    _log.info("could not log out of %s in attempt %d: %s", target, attempt, _text(error))
                    self._on_failed(slot)
                else:
                    return True
            return False
        finally:
            if is_waiting:
                with self._lock:
                    self._waiting[slot.key.place] -= 1

    def _may_wait(self, slot: Slot) -> bool:
        """Tell whether one more session of a host may wait for another attempt.

        They count among all sessions: one host whose sessions break must not take the place of the others.
        """
        with self._lock:
            if self._waiting[slot.key.place] >= slot.maker.max_sessions:
                return False
            self._waiting[slot.key.place] += 1
            return True
