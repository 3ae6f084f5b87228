"""Run calls that may hang in libvirtd, and abandon them at a time limit.

libvirtd waits without end for a storage whose server is away, and for a guest's agent while somebody else
uses it. Its protocol knows neither time limits nor a way to cancel a call. So such a call is abandoned at the
limit, together with its connection, and the operation goes on without the result.

While an abandoned call hangs, no other is made at the same place: a storage that hangs costs each worker
process a few connections and threads, however many clients ask, and libvirtd keeps workers for everything
else.
"""

import threading
from collections.abc import Callable, Hashable
from typing import TypeVar
from weakref import WeakValueDictionary

from simplestack import Busy, DeadlineExceeded, call_or_abandon
from simplestack_kvm.libvirtd.connection.session import KvmSession

T = TypeVar("T")


class NoResponse(Exception):
    """A call was given up, or not made because another one hangs at the same place."""


def bounded(
    session: KvmSession, place: Hashable, action: Callable[[], T], seconds: float, *, at_once: int = 1
) -> T:
    """Return what an action returns, or give it up.

    The action has the session's connection to itself. After NoResponse, do not use the connection if
    ``session.abandoned`` is set.

    :param place: what the action may wait for; hosts are different places
    :param seconds: limit of the action, and of waiting for its turn
    :param at_once: how many actions may be in progress at the place; further ones wait
    :raises NoResponse: it takes longer than this, or another action took longer than its own limit
    :raises Busy: other actions were in progress all the time; nothing says that they hang
    """
    if session.abandoned.is_set():
        raise NoResponse("a call on this connection was abandoned")
    turn = _Turn(session, _place_of((session.target, place)))
    turn.begin(at_once, seconds)
    try:
        return call_or_abandon(seconds, action, turn.abandon)
    except DeadlineExceeded:
        raise NoResponse(f"no response within {seconds:g} s") from None
    finally:
        if not turn.is_abandoned:
            turn.end()


class _Place:
    """What calls may wait for together."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.in_progress = 0
        self.overdue = 0


_places: WeakValueDictionary[Hashable, _Place] = WeakValueDictionary()
_places_lock = threading.Lock()


def _place_of(key: Hashable) -> _Place:
    with _places_lock:
        place = _places.get(key)
        if place is None:
            place = _places[key] = _Place()
        return place


class _Turn:
    """One action at its place."""

    def __init__(self, session: KvmSession, place: _Place) -> None:
        self._session = session
        self._place = place
        self.is_abandoned = False

    def begin(self, at_once: int, seconds: float) -> None:
        """Wait for the turn.

        :raises NoResponse: another action is overdue
        :raises Busy: others are in progress
        """
        place = self._place
        with place.changed:
            place.changed.wait_for(lambda: place.overdue or place.in_progress < at_once, seconds)
            if place.overdue:
                raise NoResponse("an earlier call has no response yet")
            if place.in_progress >= at_once:
                raise Busy(f"other requests to the host have been in progress for {seconds:g} s: try again")
            place.in_progress += 1

    def end(self) -> None:
        """Let others begin."""
        with self._place.changed:
            self._place.in_progress -= 1
            self._place.changed.notify_all()

    def abandon(self) -> Callable[[], None]:
        """Let nobody begin until the action has ended: then call what is returned."""
        self.is_abandoned = True
        self._session.abandoned.set()
        with self._place.changed:
            self._place.overdue += 1
            self._place.changed.notify_all()
        return self._end_late

    def _end_late(self) -> None:
        with self._place.changed:
            self._place.overdue -= 1
        self.end()
        self._session.abandoned.end()
