"""Log out sessions in the background, with retries if the host does not respond."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable

from simplestack.errors import SimplestackError
from simplestack.sessions.maker import Place
from simplestack.sessions.slots import Slot

_log = logging.getLogger("simplestack.sessions")

#: Delay before each attempt. They cover a host that is down for a minute.
_DELAYS_SECONDS = (0.0, 5.0, 15.0, 60.0)


def join(threads: Iterable[threading.Thread], limit_seconds: float) -> None:
    """Wait until all threads have ended, up to a total time limit."""
    deadline = time.monotonic() + limit_seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))


def _text(error: Exception) -> str:
    """Return the error in words, without the text of SDK errors: it may contain the session, a secret."""
    return error.message if isinstance(error, SimplestackError) else type(error).__name__


class Logouts:
    """Logs out sessions, each in its own thread, so that a slow host does not delay others.

    There are at most as many threads as the pool has sessions.
    """

    def __init__(self, on_failed: Callable[[Slot], None], on_end: Callable[[Slot], None]) -> None:
        """Start without sessions.

        :param on_failed: called when an attempt failed and another one follows
        :param on_end: called once for each slot, after the session is logged out or the last attempt failed
        """
        self._on_failed = on_failed
        self._on_end = on_end
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._threads: set[threading.Thread] = set()
        #: Number of sessions that wait for another attempt, by host.
        self._waiting: Counter[Place] = Counter()

    def add(self, slot: Slot) -> threading.Thread:
        """Log out a session of a removed slot that no call uses. Return the thread that does it."""
        thread = threading.Thread(target=self._run, args=(slot,), name="simplestack-logout", daemon=True)
        with self._lock:
            self._threads.add(thread)
        thread.start()
        return thread

    def close(self, limit_seconds: float) -> None:
        """Make the last attempt for all waiting sessions now, and wait for all threads.

        `on_end` is not called for sessions that cannot be logged out now.

        :param limit_seconds: time limit for waiting
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
        """Try until a logout succeeds. Return whether it did."""
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
                            "cannot log out of %s, giving up after attempt %d: %s",
                            target,
                            attempt,
                            _text(error),
                        )
                        return False
                    _log.info("cannot log out of %s in attempt %d: %s", target, attempt, _text(error))
                    self._on_failed(slot)
                else:
                    return True
            return False
        finally:
            if is_waiting:
                with self._lock:
                    self._waiting[slot.key.place] -= 1

    def _may_wait(self, slot: Slot) -> bool:
        """Return whether another session of this host may wait for the next attempt.

        The number is limited, since waiting sessions count towards the maximum number of all sessions.
        """
        with self._lock:
            if self._waiting[slot.key.place] >= slot.maker.max_sessions:
                return False
            self._waiting[slot.key.place] += 1
            return True
