"""Limits for threads that wait for clients.

A thread may wait for a fast client without a limit. To wait for a slow one, it needs one of a limited number
of places, and the client must keep a minimum rate. So slow clients never occupy all threads.
"""

import threading
from dataclasses import dataclass

from simplestack.errors import RequestTimeout, ServiceBusy

#: Total time that a thread waits for a client before it needs a place.
_FREE_SECONDS = 0.2
#: A client with at least this rate is never slow.
_FAST_BYTES_PER_SECOND = 256 * 1024
#: Maximum lag that a slow client has to catch up before it counts as fast again.
_MOST_DEBT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """Limits for the clients of a worker."""

    head_timeout_seconds: float
    keep_alive_seconds: float
    #: Minimum rate; 0 means any rate.
    least_bytes_per_second: int
    #: The minimum rate is an average over this time, so a client may pause.
    window_seconds: float
    #: Places for threads that wait for slow clients.
    places: threading.BoundedSemaphore

    @property
    def least_bytes_per_window(self) -> float:
        """Number of bytes that a slow client must send or read in each window."""
        return self.least_bytes_per_second * self.window_seconds


class Patience:
    """Decides whether a thread may keep waiting for its client."""

    __slots__ = ("_credit_seconds", "_has_place", "_limits", "_window_bytes", "_window_seconds")

    def __init__(self, limits: ClientLimits) -> None:
        self._limits = limits
        self._credit_seconds = _FREE_SECONDS
        self._has_place = False
        self._window_seconds = 0.0
        self._window_bytes = 0

    def waited(self, seconds: float, moved_bytes: int) -> None:
        """Record that a thread has waited for the client, and check whether it may keep waiting.

        :raises ServiceBusy: the client is slow, and no place is free
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
                    f"the client sent or read less than {self._limits.least_bytes_per_second} bytes/s over "
                    f"{self._limits.window_seconds:g} s: use a faster link, or ask the operator to lower "
                    "min_client_bytes_per_second"
                )
            self._window_seconds, self._window_bytes = 0.0, 0

    def end(self) -> None:
        """Reset at the end of the request."""
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
