"""Calls that may hang in libvirtd, given up at a limit.

libvirtd waits without end for a storage whose server is away, and for a guest's agent while somebody else
uses it. Its protocol knows neither time limits nor a way to cancel a call. So such a call runs in a daemon
thread. At the limit the thread is abandoned together with its connection, and the operation goes on without
the result.

While an abandoned call hangs, no other is made at the same place: a storage that hangs costs each worker
process a few connections and threads, however many clients ask, and libvirtd keeps workers for everything
else.
"""

import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from simplestack_kvm.session import KvmSession

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
    :raises NoResponse: it takes longer than this, or another action at the place does
    """
    if session.abandoned.is_set():
        raise NoResponse
    call = _Call(_place_of((session.target, place)), action)
    call.start(at_once, seconds)
    if not call.wait(seconds):
        session.abandoned.set()
        raise NoResponse
    result: T = call.result()
    return result


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


class _Call:
    """One action in its thread."""

    def __init__(self, place: _Place, action: Callable[[], Any]) -> None:
        self._place = place
        self._action = action
        self._ended = False
        self._is_overdue = False
        self._value: Any = None
        self._error: BaseException | None = None

    def start(self, at_once: int, seconds: float) -> None:
        """Wait for a turn, then start."""
        place = self._place
        with place.changed:
            place.changed.wait_for(lambda: place.overdue or place.in_progress < at_once, seconds)
            if place.overdue or place.in_progress >= at_once:
                raise NoResponse
            place.in_progress += 1
        try:
            threading.Thread(target=self._run, name="simplestack-kvm-bounded", daemon=True).start()
        except BaseException:
            self._end()
            raise

    def wait(self, seconds: float) -> bool:
        """Tell whether the action ended in time. If not, nobody waits for it any more."""
        with self._place.changed:
            if not self._place.changed.wait_for(lambda: self._ended, seconds):
                self._is_overdue = True
                self._place.overdue += 1
                self._place.changed.notify_all()
            return self._ended

    def result(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._value

    def _run(self) -> None:
        try:
            self._value = self._action()
        except BaseException as error:  # it is raised where somebody waits for the result
            self._error = error
        finally:
            self._end()

    def _end(self) -> None:
        with self._place.changed:
            self._ended = True
            self._place.in_progress -= 1
            if self._is_overdue:
                self._place.overdue -= 1
                self._value = self._error = None  # nobody will ask; free libvirt's handles now
            self._place.changed.notify_all()
