"""The pool of sessions: one for each worker process, made after the fork.

Sessions are keyed by hypervisor, host and a keyed digest of user and password, so that a wrong password never
rides on somebody's session. What the client cannot observe is all that it does: every request could as well
connect anew.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from simplestack.errors import HypervisorTimeout, HypervisorUnavailable, Unauthorized
from simplestack.sessions.guard import Abandoned
from simplestack.sessions.maker import SessionKey, SessionMaker
from simplestack.sessions.refusals import Refusals
from simplestack.sessions.slots import Slot, Slots

_log = logging.getLogger("simplestack.sessions")


class SessionPool:
    """All sessions of this process."""

    def __init__(self, max_sessions: int, max_connecting: int) -> None:
        """Make an empty pool.

        :param max_sessions: bound on all sessions
        :param max_connecting: bound on those of one hypervisor that are in the making
        """
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._waiting = 0
        self._slots = Slots(max_sessions, max_connecting)
        self._refusals = Refusals()
        self._closed = threading.Event()
        self._reaper: threading.Thread | None = None

    def take(self, key: SessionKey, maker: SessionMaker, call: Any) -> Slot:
        """Lend a session until its slot is released: one that lies idle, or a new one.

        :param call: what the maker needs to know of the call, to make a session
        :raises HypervisorUnavailable: no session could be had within the connect time-out
        :raises Unauthorized: the hypervisor refused this login a moment ago
        """
        while True:
            slot, is_new = self._claim(key, maker)
            if is_new:
                self._connect(slot, call)
                return slot
            if maker.check(slot.session):
                return slot
            self.discard(slot)
            self.release(slot)

    def counts(self) -> dict[str, int]:
        """Return how many sessions there are, and how many of them are in use, for the health report."""
        with self._lock:
            return {
                "sessions": self._slots.count,
                "busy_sessions": sum(1 for slot in self._slots if slot.users),
            }

    def close(self) -> None:
        """Log every idle session out; those in use when they are given back."""
        self._closed.set()
        self._end_idle(lambda _slot: True)

    def close_at(self, hypervisor: str, target: str) -> None:
        """Log every idle session at one host out."""
        self._end_idle(lambda slot: slot.key.place == (hypervisor, target))

    def close_of(self, key: SessionKey) -> None:
        """Log every idle session of one user at one host out."""
        self._end_idle(lambda slot: slot.key == key)

    def discard(self, slot: Slot) -> None:
        """Take a session out of use; it is logged out when its last user gives it back."""
        with self._lock:
            slot.broken = True
            self._slots.remove(slot)

    def release(self, slot: Slot) -> None:
        """Take a session back."""
        with self._lock:
            slot.users -= 1
            slot.idle_since_seconds = time.monotonic()
            if self._closed.is_set():
                slot.broken = True
                self._slots.remove(slot)
            is_over = slot.is_over
            if self._waiting:
                self._changed.notify_all()
        if is_over:
            self._end([slot])

    def abandon(self, slot: Slot) -> Callable[[Any], None]:
        """Count a call that is left behind; its session is not logged out under its feet."""
        _log.warning("a call at %s is left behind: it hangs beyond its time", slot.key.target)
        with self._lock:
            slot.abandoned_calls += 1
            self._slots.hang(slot)

        def came_back(_result: Any) -> None:
            with self._lock:
                slot.abandoned_calls -= 1
                is_over = slot.is_over
            if is_over:
                self._end([slot])

        return came_back

    def _claim(self, key: SessionKey, maker: SessionMaker) -> tuple[Slot, bool]:
        """Find a session for one more user, or the right to make one."""
        deadline = None
        while True:
            with self._lock:
                self._refusals.check(key)
                self._slots.check_crowd(key, maker)
                making = None
                for slot in self._slots.of(key):
                    if slot.session is None:
                        making = slot
                    elif slot.users == 0 or maker.shares_sessions:
                        slot.users += 1
                        return slot, False
                if not maker.shares_sessions:
                    making = None  # somebody else's, whatever becomes of it
                going = self._slots.in_the_way(key, maker) if making is None else None
                if going is not None:
                    slot = self._slots.add(key, maker)
                    for idle in going:
                        self._slots.remove(idle)
                    break
                deadline = deadline or time.monotonic() + maker.connect_timeout_seconds
                if not self._wait_until(deadline):
                    raise HypervisorUnavailable(self._slots.explain_full(key, maker))
                if making is not None and making.failure is not None:
                    raise making.failure
        self._end(going)
        return slot, True

    def _wait_until(self, deadline_seconds: float) -> bool:
        """Wait for any change; tell whether there was one in time."""
        self._waiting += 1
        try:
            return self._changed.wait(max(0, deadline_seconds - time.monotonic()))
        finally:
            self._waiting -= 1

    def _connect(self, slot: Slot, call: Any) -> None:
        def late(session: Any) -> None:
            slot.session = session
            self._end([slot])

        self._start_reaper()
        try:
            session = slot.maker.connect(call, late)
        except Abandoned:  # the slot counts until the thread that was left behind comes back
            _log.warning("a connection to %s is left behind: it hangs beyond its time", slot.key.target)
            limit = f"{slot.maker.connect_timeout_seconds:g} s"
            error = HypervisorTimeout(f"{slot.key.target} did not let a session be made within {limit}")
            self._fail(slot, error)
            with self._lock:
                self._slots.hang(slot)
            raise error from None
        except BaseException as error:
            with self._lock:
                self._slots.uncount(slot)
            self._fail(slot, error)
            raise
        with self._lock:
            slot.session = session
            self._slots.made(slot)
            self._changed.notify_all()

    def _fail(self, slot: Slot, error: BaseException) -> None:
        with self._lock:
            slot.failure = error
            self._slots.made(slot)
            self._slots.remove(slot)
            if isinstance(error, Unauthorized):
                self._refusals.remember(slot.key, error, slot.maker.refusal_seconds)
            self._changed.notify_all()

    def _end_idle(self, wanted: Callable[[Slot], bool]) -> None:
        with self._lock:
            idle = self._slots.idle(wanted)
            for slot in idle:
                self._slots.remove(slot)
        self._end(idle)

    def _end(self, slots: Iterable[Slot]) -> None:
        """Log sessions out that nobody can find any more, and give their places free."""
        for slot in slots:
            if slot.session is not None:
                slot.maker.disconnect(slot.session)
            with self._lock:
                self._slots.uncount(slot)
                self._changed.notify_all()

    def _start_reaper(self) -> None:
        if self._reaper is None:
            with self._lock:
                if self._reaper is None:
                    self._reaper = threading.Thread(target=self._reap, name="simplestack-reaper", daemon=True)
                    self._reaper.start()

    def _reap(self) -> None:
        """Log out what has been idle for too long, and forgive what hangs, once a second."""
        while not self._closed.wait(1):
            with self._lock:
                self._slots.forgive_hung()
                self._changed.notify_all()
            now = time.monotonic()
            self._end_idle(lambda slot: now - slot.idle_since_seconds > slot.maker.idle_timeout_seconds)  # noqa: B023  called at once
