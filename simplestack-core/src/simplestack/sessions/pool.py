"""The pool of sessions. Each worker process creates its own after the fork.

Sessions are keyed by hypervisor, host and a keyed digest of user name and password, so that a wrong password
never gets another user's session. Clients see only faster responses.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from threading import Thread
from typing import Any

from simplestack.errors import HypervisorTimeout, HypervisorUnavailable, SimplestackError, Unauthorized
from simplestack.sessions.failed_logins import FailedLogins
from simplestack.sessions.logouts import Logouts, join
from simplestack.sessions.maker import Place, SessionKey, SessionMaker
from simplestack.sessions.meter import NO_METER, Meter
from simplestack.sessions.slots import Slot, Slots
from simplestack.sessions.time_limits import DeadlineExceeded

_log = logging.getLogger("simplestack.sessions")


class SessionPool:
    """All sessions of this process."""

    def __init__(self, max_sessions: int, max_connecting: int, meter: Meter = NO_METER) -> None:
        """Create an empty pool.

        :param max_sessions: maximum number of all sessions
        :param max_connecting: maximum number of connecting sessions of a hypervisor
        :param meter: is told about logins, waits and the number of sessions
        """
        self.meter = meter
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._waiting = 0
        self._slots = Slots(max_sessions, max_connecting)
        self._failed_logins = FailedLogins()
        self._logouts = Logouts(self._free_place, self._ended)
        self._closed = threading.Event()
        self._reaper: Thread | None = None

    def __repr__(self) -> str:
        """Show the number of sessions by host."""
        with self._lock:
            hosts = ", ".join(f"{host} {count}" for host, count in sorted(self._slots.targets().items()))
            return f"<SessionPool of {self._slots.count} sessions{': ' if hosts else ''}{hosts}>"

    def take(self, key: SessionKey, maker: SessionMaker, call: Any) -> tuple[Slot, bool]:
        """Take a session from the pool, and return whether it is new. Return it with `release`.

        The caller must check that a session that is not new still works.

        :param call: passed to the maker when it connects
        :raises HypervisorUnavailable: no session became free within the connect time limit
        :raises Unauthorized: the hypervisor has recently rejected this login
        """
        try:
            slot, is_new = self._claim(key, maker)
        except Unauthorized:
            self.meter.login_repeated(key.place)
            raise
        if is_new:
            self._connect(slot, call)
        return slot, is_new

    def counts(self) -> dict[str, int]:
        """Return the number of all sessions, and of those in use, for the health report."""
        with self._lock:
            return {
                "sessions": self._slots.count,
                "busy_sessions": sum(1 for slot in self._slots if slot.users),
            }

    def report(self) -> None:
        """Tell the meter the number of sessions."""
        with self._lock:
            states = self._slots.states()
        self.meter.sessions_counted(states)

    def close(self, limit_seconds: float) -> None:
        """Log out idle sessions now, and sessions in use when they are released.

        :param limit_seconds: time limit for waiting
        """
        self._closed.set()
        self._end_idle(lambda _slot: True)
        self._logouts.close(limit_seconds)
        with self._lock:
            left = self._slots.targets()
        if left:
            hosts = ", ".join(f"{count} at {host}" for host, count in sorted(left.items()))
            count = "1 session" if left.total() == 1 else f"{left.total()} sessions"
            _log.warning("%s still logged in: %s", count, hosts)

    def close_at(self, place: Place, limit_seconds: float) -> None:
        """Log out the idle sessions of a host.

        :param limit_seconds: time limit for waiting
        """
        join(self._end_idle(lambda slot: slot.key.place == place), limit_seconds)

    def close_of(self, key: SessionKey) -> None:
        """Log out the idle sessions of a user at a host."""
        self._end_idle(lambda slot: slot.key == key)

    def discard(self, slot: Slot) -> None:
        """Remove a session from the pool. It is logged out when the last call releases it."""
        with self._lock:
            slot.broken = True
            self._slots.remove(slot)

    def release(self, slot: Slot) -> None:
        """Return a session to the pool."""
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

    def abandon(self, slot: Slot) -> Callable[[], None]:
        """Remove a session from the pool that an abandoned call still uses.

        :return: function to call when the abandoned call returns
        """
        with self._lock:
            slot.broken = True
            slot.abandoned_calls += 1
            self._slots.remove(slot)
            self._slots.hang(slot)

        def returned() -> None:
            with self._lock:
                slot.abandoned_calls -= 1
                is_over = slot.is_over
            if is_over:
                self._end([slot])

        return returned

    def _claim(self, key: SessionKey, maker: SessionMaker) -> tuple[Slot, bool]:
        """Return a slot with a session, or a new slot to connect."""
        since_seconds = None
        try:
            while True:
                with self._lock:
                    self._failed_logins.check(key)
                    known = self._known(key, maker)
                    if known is not None and known.is_connected:
                        known.users += 1
                        return known, False
                    evicted = self._slots.evictable(key, maker) if known is None else None
                    if evicted is not None:
                        slot = self._slots.add(key, maker)
                        for idle in evicted:
                            self._slots.remove(idle)
                        break
                    since_seconds = since_seconds or time.monotonic()
                    if not self._wait_until(since_seconds + maker.connect_timeout_seconds):
                        raise HypervisorUnavailable(self._slots.explain_full(key, maker))
                    if known is not None and known.failure is not None:
                        raise _copied(known.failure)
        finally:
            if since_seconds is not None:
                self.meter.session_awaited(key.place, time.monotonic() - since_seconds)
        self._end(evicted)
        return slot, True

    def _known(self, key: SessionKey, maker: SessionMaker) -> Slot | None:
        """Return a slot that the call can use, or a connecting one that it can share afterwards."""
        connecting = None
        for slot in self._slots.of(key):
            if not slot.is_connected:
                connecting = slot
            elif slot.users == 0 or maker.shares_sessions:
                return slot
        return connecting if maker.shares_sessions else None  # otherwise another call gets it

    def _wait_until(self, deadline_seconds: float) -> bool:
        """Wait for a change. Return whether there was one in time."""
        self._waiting += 1
        try:
            return self._changed.wait(deadline_seconds - time.monotonic())
        finally:
            self._waiting -= 1

    def _connect(self, slot: Slot, call: Any) -> None:
        def late(session: Any, error: BaseException | None) -> None:
            _log.info("an abandoned connection to %s has returned", slot.key.target)
            if error is None:
                slot.session = session
                self._end([slot])
            else:
                self._ended(slot)

        self._start_reaper()
        started_seconds = time.monotonic()

        def ended(outcome: str) -> None:
            self.meter.login_ended(slot.key.place, outcome, time.monotonic() - started_seconds)

        try:
            session = slot.maker.connect(call, late)
        except DeadlineExceeded:  # the slot counts until the abandoned thread returns
            _log.warning("abandoned a connection to %s: it exceeded its time limit", slot.key.target)
            limit = f"{slot.maker.connect_timeout_seconds:g} s"
            error = HypervisorTimeout(f"cannot connect to {slot.key.target} within {limit}")
            with self._lock:
                self._fail(slot, error)
                self._slots.hang(slot)
            ended(error.name)
            self.meter.call_abandoned(slot.key.place, "login")
            raise error from None
        except BaseException as error:
            with self._lock:
                self._fail(slot, error)
                self._slots.uncount(slot)
            # Of the class: a plugin may give each of its errors a name of its own.
            ended(getattr(type(error), "name", SimplestackError.name))
            raise
        ended("ok")
        with self._lock:
            slot.session = session
            slot.is_connected = True
            self._slots.connected(slot)
            self._changed.notify_all()

    def _fail(self, slot: Slot, error: BaseException) -> None:
        """Pass the error to the calls that wait for this session. The caller holds the lock."""
        slot.failure = _copied(error)
        self._slots.connected(slot)
        self._slots.remove(slot)
        if isinstance(error, Unauthorized):
            self._failed_logins.remember(slot.key, error, slot.maker.failed_login_seconds)
        self._changed.notify_all()

    def _end_idle(self, wanted: Callable[[Slot], bool]) -> list[Thread]:
        with self._lock:
            idle = self._slots.idle(wanted)
            for slot in idle:
                self._slots.remove(slot)
        return self._end(idle)

    def _end(self, slots: Iterable[Slot]) -> list[Thread]:
        """Log out the sessions of removed slots. Return the threads that do it."""
        threads = []
        for slot in slots:
            with self._lock:
                self._slots.hang(slot)  # until it is logged out
            threads.append(self._logouts.add(slot))
        return threads

    def _free_place(self, slot: Slot) -> None:
        """Let other calls connect to a host after a failed logout."""
        with self._lock:
            self._slots.free_place(slot)
            self._changed.notify_all()

    def _ended(self, slot: Slot) -> None:
        with self._lock:
            self._slots.uncount(slot)
            self._changed.notify_all()

    def _start_reaper(self) -> None:
        with self._lock:
            if self._reaper is None:
                self._reaper = Thread(target=self._reap, name="simplestack-reaper", daemon=True)
                self._reaper.start()

    def _reap(self) -> None:
        """Once a second, log out expired sessions and stop counting sessions that have hung for too long."""
        while not self._closed.wait(1):
            with self._lock:
                self._slots.forgive_hung()
                self._changed.notify_all()
            self.report()
            now = time.monotonic()
            self._end_idle(lambda slot: slot.has_expired(now))  # noqa: B023  called at once


def _copied(error: BaseException) -> BaseException:
    """Return a copy without the traceback, which would keep all its frames and their handles alive."""
    try:
        copied = type(error).__new__(type(error), *error.args)
        copied.__dict__.update(error.__dict__)
    except Exception:  # the plugin's own class with another constructor
        return HypervisorUnavailable("cannot connect")
    return copied
