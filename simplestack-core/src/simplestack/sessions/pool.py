"""The pool of sessions: one for each worker process, made after the fork.

Sessions are keyed by hypervisor, host and a keyed digest of user and password, so that a wrong password never
rides on somebody's session. What the client cannot observe is all that it does: every request could as well
connect anew.
"""

import logging
import threading
import time
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from simplestack.errors import HypervisorTimeout, HypervisorUnavailable, Unauthorized
from simplestack.sessions.guard import Abandoned

_log = logging.getLogger("simplestack.sessions")

#: Refused logins remembered in all.
_MAX_REFUSALS = 1024


class SessionKey(NamedTuple):
    """Whose session it is, and where."""

    hypervisor: str
    target: str
    digest: bytes

    @property
    def place(self) -> tuple[str, str]:
        """What the number of sessions is bounded for."""
        return self.hypervisor, self.target


class SessionMaker(Protocol):
    """How the sessions of one hypervisor at one host are made, and what bounds them."""

    shares_sessions: bool
    max_sessions: int
    #: Users that all sessions at the host may have at once; None is no bound.
    max_calls: int | None
    idle_timeout_seconds: float
    connect_timeout_seconds: float
    refusal_seconds: float

    def connect(self, call: Any, on_late: Callable[[Any], None]) -> Any:
        """Make a session.

        :param call: what `take` was given
        :param on_late: gets the session, or None, when it comes after the time was up
        :raises Abandoned: the time is up, and a thread that is still at it was left behind
        """
        ...

    def check(self, session: Any) -> bool:
        """Tell whether the session is alive."""
        ...

    def disconnect(self, session: Any) -> None:
        """Log the session out. Never raises."""
        ...


@dataclass(eq=False, slots=True)
class _Slot:
    """One session, the making of it included."""

    key: SessionKey
    maker: SessionMaker
    session: Any = None
    #: Why it could not be made.
    failure: BaseException | None = None
    users: int = 0
    broken: bool = False
    #: Calls in threads that were left behind and still use the session.
    abandoned_calls: int = 0
    idle_since_seconds: float = field(default_factory=time.monotonic)


class Lease:
    """A session for the length of a call."""

    __slots__ = ("_pool", "_slot")

    def __init__(self, pool: "SessionPool", slot: _Slot) -> None:
        self._pool = pool
        self._slot = slot

    @property
    def session(self) -> Any:
        """What the plugin's ``connect`` returned."""
        return self._slot.session

    def discard(self) -> None:
        """Let nobody use the session any more: it is broken, or may be."""
        self._pool.discard(self._slot)

    def abandon(self) -> Callable[[Any], None]:
        """Say that a call on it is left behind; return what must be called when that call comes back."""
        return self._pool.abandon(self._slot)

    def release(self) -> None:
        """Give the session back."""
        self._pool.release(self._slot)


class SessionPool:
    """All sessions of this process."""

    def __init__(self, max_sessions: int, max_connecting: int) -> None:
        """Make an empty pool.

        :param max_sessions: bound on all sessions
        :param max_connecting: bound on those of one hypervisor that are in the making, so that hosts which do
            not answer cannot hold every thread of the service
        """
        self._max_sessions = max_sessions
        self._max_connecting = max_connecting
        self._connecting: Counter[str] = Counter()
        self._changed = threading.Condition(threading.Lock())
        self._waiting = 0
        self._slots: defaultdict[SessionKey, list[_Slot]] = defaultdict(list)
        #: Sessions, those in the making and those left behind included.
        self._count = 0
        self._count_at: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._refusals: OrderedDict[SessionKey, tuple[float, str]] = OrderedDict()
        self._closed = threading.Event()
        self._reaper: threading.Thread | None = None

    def take(self, key: SessionKey, maker: SessionMaker, call: Any) -> Lease:
        """Lend a session until its lease is released: one that lies idle, or a new one.

        :param call: what the maker needs to know of the call, to make a session
        :raises HypervisorUnavailable: no session could be had within the connect time-out
        :raises Unauthorized: the hypervisor refused this login a moment ago
        """
        while True:
            slot, is_new = self._claim(key, maker)
            if is_new:
                self._connect(slot, call)
                return Lease(self, slot)
            if maker.check(slot.session):
                return Lease(self, slot)
            self.discard(slot)
            self.release(slot)

    def counts(self) -> dict[str, int]:
        """Return how many sessions there are, for the health report."""
        with self._changed:
            return {"sessions": self._count}

    def close(self) -> None:
        """Log every idle session out; those in use when they are given back."""
        self._closed.set()
        with self._changed:
            idle = [slot for slot in self._all_slots() if slot.users == 0]
            for slot in idle:
                self._remove(slot)
        for slot in idle:
            self._end(slot)

    def close_at(self, hypervisor: str, target: str) -> None:
        """Log every idle session at one host out."""
        with self._changed:
            idle = [
                slot
                for slot in self._all_slots()
                if slot.key.place == (hypervisor, target) and slot.users == 0 and slot.session is not None
            ]
            for slot in idle:
                self._remove(slot)
        for slot in idle:
            self._end(slot)

    def discard(self, slot: _Slot) -> None:
        """Take a session out of use; it is logged out when its last user gives it back."""
        with self._changed:
            slot.broken = True
            self._remove(slot)

    def release(self, slot: _Slot) -> None:
        """Take a session back."""
        with self._changed:
            slot.users -= 1
            slot.idle_since_seconds = time.monotonic()
            if self._closed.is_set():
                slot.broken = True
                self._remove(slot)
            ended = slot.broken and slot.users == 0 and slot.abandoned_calls == 0
            if self._waiting:
                self._changed.notify_all()
        if ended:
            self._end(slot)

    def abandon(self, slot: _Slot) -> Callable[[Any], None]:
        """Count a call that is left behind; its session is not logged out under its feet."""
        with self._changed:
            slot.abandoned_calls += 1

        def came_back(_result: Any) -> None:
            with self._changed:
                slot.abandoned_calls -= 1
                ended = slot.broken and slot.users == 0 and slot.abandoned_calls == 0
            if ended:
                self._end(slot)

        return came_back

    def _claim(self, key: SessionKey, maker: SessionMaker) -> tuple[_Slot, bool]:
        """Find a session for one more user, or the right to make one."""
        deadline = time.monotonic() + maker.connect_timeout_seconds
        with self._changed:
            while True:
                self._refuse_again(key)
                self._refuse_crowd(key, maker)
                making = None
                for slot in self._slots.get(key, ()):
                    if slot.session is None:
                        making = slot
                    elif slot.users == 0 or maker.shares_sessions:
                        slot.users += 1
                        return slot, False
                if not (making and maker.shares_sessions) and self._has_room(key, maker):
                    return self._add(key, maker), True
                if not self._wait_until(deadline):
                    raise HypervisorUnavailable(
                        f"no free session at {key.target}: {self._count_at[key.place]} of at most "
                        f"{maker.max_sessions} are in use or hang, "
                        f"{self._count} of {self._max_sessions} in all"
                    )
                if making is not None and maker.shares_sessions and making.failure is not None:
                    raise making.failure

    def _wait_until(self, deadline_seconds: float) -> bool:
        """Wait for any change; tell whether there was one in time."""
        self._waiting += 1
        try:
            return self._changed.wait(max(0, deadline_seconds - time.monotonic()))
        finally:
            self._waiting -= 1

    def _refuse_crowd(self, key: SessionKey, maker: SessionMaker) -> None:
        if maker.max_calls is None:
            return
        users = sum(slot.users for slot in self._all_slots() if slot.key.place == key.place)
        if users >= maker.max_calls:
            raise HypervisorUnavailable(f"{users} calls are under way at {key.target} already", 1)

    def _all_slots(self) -> Iterator[_Slot]:
        return (slot for slots in self._slots.values() for slot in slots)

    def _has_room(self, key: SessionKey, maker: SessionMaker) -> bool:
        """Tell whether one more session may be made; log idle ones of others out where that helps."""
        if self._count_at[key.place] >= maker.max_sessions and not self._end_oldest_idle(key.place):
            return False
        return self._count < self._max_sessions or self._end_oldest_idle(None)

    def _end_oldest_idle(self, place: tuple[str, str] | None) -> bool:
        idle = [
            slot
            for slot in self._all_slots()
            if slot.users == 0 and slot.session is not None and place in (None, slot.key.place)
        ]
        if not idle:
            return False
        oldest = min(idle, key=lambda slot: slot.idle_since_seconds)
        self._remove(oldest)
        self._uncount(oldest)
        threading.Thread(target=oldest.maker.disconnect, args=(oldest.session,), daemon=True).start()
        return True

    def _add(self, key: SessionKey, maker: SessionMaker) -> _Slot:
        if self._connecting[key.hypervisor] >= self._max_connecting:
            raise HypervisorUnavailable(
                f"{self._connecting[key.hypervisor]} connections of {key.hypervisor} are being made already, "
                "at hosts that answer slowly or never"
            )
        self._connecting[key.hypervisor] += 1
        slot = _Slot(key, maker, users=1)
        self._slots[key].append(slot)
        self._count += 1
        self._count_at[key.place] += 1
        if self._reaper is None:
            self._reaper = threading.Thread(target=self._reap, name="simplestack-reaper", daemon=True)
            self._reaper.start()
        return slot

    def _connect(self, slot: _Slot, call: Any) -> None:
        def late(session: Any) -> None:
            slot.session = session
            self._end(slot)

        try:
            session = slot.maker.connect(call, late)
        except Abandoned:  # the slot stays counted until the thread that was left behind comes back
            limit = f"{slot.maker.connect_timeout_seconds:g} s"
            error = HypervisorTimeout(f"{slot.key.target} did not let a session be made within {limit}")
            self._fail(slot, error)
            raise error from None
        except BaseException as error:
            with self._changed:
                self._uncount(slot)
            self._fail(slot, error)
            raise
        with self._changed:
            slot.session = session
            self._connecting[slot.key.hypervisor] -= 1
            self._changed.notify_all()

    def _fail(self, slot: _Slot, error: BaseException) -> None:
        with self._changed:
            slot.failure = error
            self._connecting[slot.key.hypervisor] -= 1
            self._remove(slot)
            if isinstance(error, Unauthorized):
                self._remember_refusal(slot, error)
            self._changed.notify_all()

    def _remove(self, slot: _Slot) -> None:
        slots = self._slots.get(slot.key)
        if slots is not None and slot in slots:
            slots.remove(slot)
            if not slots:
                del self._slots[slot.key]

    def _uncount(self, slot: _Slot) -> None:
        self._count -= 1
        self._count_at[slot.key.place] -= 1
        if self._count_at[slot.key.place] == 0:
            del self._count_at[slot.key.place]

    def _end(self, slot: _Slot) -> None:
        try:
            if slot.session is not None:
                slot.maker.disconnect(slot.session)
        finally:
            with self._changed:
                self._uncount(slot)
                self._changed.notify_all()

    def _remember_refusal(self, slot: _Slot, error: Unauthorized) -> None:
        if slot.maker.refusal_seconds > 0:
            self._refusals[slot.key] = (time.monotonic() + slot.maker.refusal_seconds, error.message)
            while len(self._refusals) > _MAX_REFUSALS:
                self._refusals.popitem(last=False)

    def _refuse_again(self, key: SessionKey) -> None:
        if not self._refusals:
            return
        until, message = self._refusals.get(key, (0.0, ""))
        if time.monotonic() < until:
            raise Unauthorized(message)
        self._refusals.pop(key, None)

    def _reap(self) -> None:
        """Log out what has been idle for too long, once a second."""
        while not self._closed.wait(1):
            now = time.monotonic()
            with self._changed:
                expired = [
                    slot
                    for slot in self._all_slots()
                    if slot.users == 0
                    and slot.session is not None
                    and now - slot.idle_since_seconds > slot.maker.idle_timeout_seconds
                ]
                for slot in expired:
                    self._remove(slot)
            for slot in expired:
                self._end(slot)
