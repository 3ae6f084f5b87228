"""How long a thread waits for its client, and how many threads wait at once.

A thread waits for a fast client without a limit. To wait for a slow one, it needs one of a limited number of
places, and the client has to keep up a minimum rate. So slow clients never hold all threads.
"""

import threading
from dataclasses import dataclass

from simplestack.errors import RequestTimeout, ServiceBusy

#: How long a thread waits without a place, in all.
_FREE_SECONDS = 0.2
#: A client that is as fast as this earns all time that it takes: it is never slow.
_FAST_BYTES_PER_SECOND = 256 * 1024
#: A slow client that becomes fast is slow no longer when it has caught up with so much.
_MOST_DEBT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """What a worker accepts of its clients."""

    head_timeout_seconds: float
    keep_alive_seconds: float
    #: 0: any rate will do.
    least_bytes_per_second: int
    #: The rate is an average over so much time of waiting, so that a client may pause.
    window_seconds: float
    #: Held by threads that wait for slow clients.
    places: threading.BoundedSemaphore

    @property
    def least_bytes_per_window(self) -> float:
        """How much a slow client has to send or take in each window."""
        return self.least_bytes_per_second * self.window_seconds


class Patience:
    """The patience of threads with one client."""

    __slots__ = ("_credit_seconds", "_has_place", "_limits", "_window_bytes", "_window_seconds")

    def __init__(self, limits: ClientLimits) -> None:
        self._limits = limits
        self._credit_seconds = _FREE_SECONDS
        self._has_place = False
        self._window_seconds = 0.0
        self._window_bytes = 0

    def waited(self, seconds: float, moved_bytes: int) -> None:
        """Note that a thread has waited for the client, and decide whether it may go on.

        :raises ServiceBusy: the client is slow, and there is no place for it
        :raises RequestTimeout: the client is slower than the minimum rate
        """
        credit = self._credit_seconds - seconds + moved_bytes / _FAST_BYTES_PER_SECOND
        self._credit_seconds = min(_FREE_SECONDS, max(credit, -_MOST_DEBT_SECONDS))
        if credit >= 0:
            if self._has_place:
                self._give_place_back()
            return
        if not self._has_place:
            self._take_place()
        self._window_seconds += seconds
        self._window_bytes += moved_bytes
        if self._window_seconds >= self._limits.window_seconds:
            if self._window_bytes < self._limits.least_bytes_per_window:
                raise RequestTimeout(
                    f"the client moved less than {self._limits.least_bytes_per_second} bytes/s over "
                    f"{self._limits.window_seconds:g} s: use a faster link, or ask the operator to lower "
                    "min_client_bytes_per_second"
                )
            self._window_seconds, self._window_bytes = 0.0, 0

    def end(self) -> None:
        """Note that the request is over."""
        self._credit_seconds = _FREE_SECONDS
        if self._has_place:
            self._give_place_back()

    def _take_place(self) -> None:
        if not self._limits.places.acquire(blocking=False):
            raise ServiceBusy("too many slow clients; retry later")
        self._has_place = True
        self._window_seconds, self._window_bytes = 0.0, 0

    def _give_place_back(self) -> None:
        self._has_place = False
        self._limits.places.release()
