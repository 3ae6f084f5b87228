"""How many calls one host may have under way, so that a host that does not answer cannot stop the others.

Each call holds a thread of the service, also while it waits for a session. A host gets no more threads than
are left for the others: the first slow host gets half of them, a second one half of the rest, and so on. A
hypervisor gets no more than three times as many as are left, three quarters of all: when all of its hosts are
slow, other hypervisors are not. The last thread is never given away: it rejects further calls, and shows that
the service is alive. (A. K. Choudhury and E. L. Hahne, "Dynamic queue length thresholds for shared-memory
packet switches", IEEE/ACM Transactions on Networking 6(2), 1998.)
"""

import threading
from typing import TypeVar

from simplestack.errors import HypervisorUnavailable
from simplestack.sessions.maker import Place

K = TypeVar("K")

#: Calls end all the time: a client that comes again in a second may find room.
_CALL_RETRY_SECONDS = 1
#: How many threads a hypervisor may have for each one that is left.
_HYPERVISOR_SHARE = 3
#: A transfer takes minutes.
_TRANSFER_RETRY_SECONDS = 30


class CallLimits:
    """Counts the calls of this process, by host."""

    def __init__(self, threads: int | None) -> None:
        """Count from zero.

        :param threads: how many calls can be under way in all; None where each caller has its own thread
        """
        self._threads = threads
        self._reserved_threads = 1 if threads is not None and threads > 1 else 0
        self._lock = threading.Lock()
        #: What has none is not there: hosts come and go.
        self._calls: dict[Place, int] = {}
        self._calls_by_hypervisor: dict[str, int] = {}
        self._transfers: dict[Place, int] = {}
        self._count = 0

    def begin(self, place: Place, max_calls: int, max_transfers: int | None) -> None:
        """Count a call; `end` must follow.

        :param max_calls: how many the host may have in any case
        :param max_transfers: how many imports and exports the host may have, where this is one; else None
        :raises HypervisorUnavailable: the host has as many as it may
        """
        hypervisor = place.hypervisor
        with self._lock:
            calls = self._calls.get(place, 0)
            calls_of_hypervisor = self._calls_by_hypervisor.get(hypervisor, 0)
            self._check_calls(place, calls, max_calls, calls_of_hypervisor)
            if max_transfers is not None:
                transfers = self._transfers.get(place, 0)
                _check_transfers(place, transfers, max_transfers)
                self._transfers[place] = transfers + 1
            self._calls[place] = calls + 1
            self._calls_by_hypervisor[hypervisor] = calls_of_hypervisor + 1
            self._count += 1

    def end(self, place: Place, max_transfers: int | None) -> None:
        """Stop counting a call: the same arguments as those of `begin`."""
        with self._lock:
            self._count -= 1
            _decrement(self._calls, place)
            _decrement(self._calls_by_hypervisor, place.hypervisor)
            if max_transfers is not None:
                _decrement(self._transfers, place)

    def _check_calls(self, place: Place, calls: int, max_calls: int, calls_of_hypervisor: int) -> None:
        where = place.target
        is_full = calls >= max_calls
        if self._threads is not None and not is_full:
            left = self._threads - self._count - self._reserved_threads
            is_full = calls >= left
            if not is_full:
                calls, where = calls_of_hypervisor, place.hypervisor
                is_full = calls >= _HYPERVISOR_SHARE * left
        if is_full:
            raise HypervisorUnavailable(
                f"this worker is busy, {calls} calls to {where} are under way: try again", _CALL_RETRY_SECONDS
            )


def _check_transfers(place: Place, transfers: int, max_transfers: int) -> None:
    if transfers >= max_transfers:
        raise HypervisorUnavailable(
            f"this worker has {transfers} imports and exports of {place.target} under way already: "
            "try again later",
            _TRANSFER_RETRY_SECONDS,
        )


def _decrement(counts: dict[K, int], key: K) -> None:
    count = counts.pop(key) - 1
    if count:
        counts[key] = count
