"""Use a connection in a thread of its own, while the operation does something else."""

import threading
from collections.abc import Callable

from simplestack import HypervisorTimeout, time_left_seconds
from simplestack_kvm.libvirtd.connection.abandoned import Abandoned

#: How long to wait at least: what does not hang ends in much less.
_LEAST_SECONDS = 1.0
#: What is kept of the operation's time to say what happened: a tenth of it, and at most so much.
_RESERVE_SECONDS = 1.0


def wait_seconds() -> float | None:
    """Return how long the operation may wait for a thread; None where it has no time limit."""
    left_seconds = time_left_seconds()
    if left_seconds >= threading.TIMEOUT_MAX:
        return None
    return max(left_seconds - min(left_seconds / 10, _RESERVE_SECONDS), _LEAST_SECONDS)


class OwnThread:
    """A thread that has a connection to itself until it ends, or is given up when the operation ends."""

    def __init__(self, name: str, run: Callable[[], None], abandoned: Abandoned) -> None:
        """Start the thread.

        :param abandoned: that of the connection's session
        """
        self._run = run
        self._abandoned = abandoned
        self._lock = threading.Lock()
        self._is_over = False
        self._is_given_up = False
        #: Daemon: a host that hangs must not keep the process.
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the connection is in use."""
        return self._thread.is_alive()

    def wait(self) -> None:
        """Wait for the thread's end, unless it was given up.

        :raises HypervisorTimeout: it is given up, or was before
        """
        if not self._is_given_up:
            self._thread.join(wait_seconds())
        if self.is_alive:
            raise self.give_up()

    def give_up(self) -> HypervisorTimeout:
        """Leave the thread alone, and the connection to it. Return the error of the operation."""
        with self._lock:
            if not self._is_over and not self._is_given_up:
                self._is_given_up = True
                self._abandoned.set()
        return HypervisorTimeout("a storage of the host does not respond: try again when it does")

    def _main(self) -> None:
        try:
            self._run()
        finally:
            with self._lock:
                self._is_over = True
            if self._is_given_up:
                self._abandoned.end()
