"""Time limits of calls: no call takes longer than its operation may, but for those that undo it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

from simplestack import time_left_seconds

#: Minimum time limit of a call that undoes an operation, which may have no time left.
_UNDO_SECONDS = 5.0
_minimum_seconds: ContextVar[float] = ContextVar("simplestack_vmware.minimum_seconds", default=0.0)


@contextmanager
def at_least(seconds: float) -> Iterator[None]:
    """Let calls take this long, whatever time the operation has left."""
    token = _minimum_seconds.set(max(seconds, _minimum_seconds.get()))
    try:
        yield
    finally:
        _minimum_seconds.reset(token)


def undoing() -> AbstractContextManager[None]:
    """Give calls that undo an operation, or cancel it, time to do so."""
    return at_least(_UNDO_SECONDS)


def left_seconds() -> float:
    """Return how long a call may take: as long as the operation, or the minimum if that is more."""
    return max(time_left_seconds(), _minimum_seconds.get())
