"""Things that happen at a chosen moment: somebody else acts, an error loses its reason, a call fails."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from support.threads import profiled


@contextmanager
def after(function: str, action: Callable[[], object], *, nth: int | None = None) -> Iterator[None]:
    """Do something when a C function of libvirt-python returns, before its caller goes on.

    An action that calls libvirt clears its last error: choose a function that succeeds.

    :param nth: only when it returns for the nth time, counted from 1; else each time
    """
    times = 0

    def notice(_frame: FrameType, event: str, called: object) -> None:
        nonlocal times
        if event != "c_return" or getattr(called, "__name__", "") != function:
            return
        times += 1
        if nth is None or times == nth:
            action()

    with profiled(notice):
        yield
    assert times >= (nth or 1), f"{function} returned {times} times"
