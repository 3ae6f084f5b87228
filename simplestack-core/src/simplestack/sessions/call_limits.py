"""Limit the concurrent calls to each host, so that a host that does not respond cannot block the others.

Each call uses a thread of the service, also while it waits for a session. A host gets at most as many threads
as are free: the first slow host gets half of all threads, the second one half of the rest, and so on. All
hosts of a hypervisor get at most three times as many as are free, which is three quarters of all, so that
other hypervisors keep working. One thread always stays free, to reject further calls and to serve `/healthz`.
(A. K. Choudhury and E. L. Hahne, "Dynamic queue length thresholds for shared-memory packet switches",
IEEE/ACM Transactions on Networking 6(2), 1998.)
"""

import threading
from typing import TypeVar

from simplestack.errors import HypervisorUnavailable
from simplestack.sessions.maker import Place

K = TypeVar("K")

#: Retry-After for calls, which usually end soon.
_CALL_RETRY_SECONDS = 1
#: Threads that a hypervisor may use for each free thread.
_HYPERVISOR_SHARE = 3
#: Retry-After for transfers, which take minutes.
_TRANSFER_RETRY_SECONDS = 30


class CallLimits:
    """Counts the calls of this process by host."""

    def __init__(self, threads: int | None) -> None:
        """Start without calls.

        :param threads: maximum number of concurrent calls; None means no limit
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
        """Count a call. Call `end` afterwards.

        :param max_calls: maximum number of calls to the host
        :param max_transfers: for an import or export: the maximum number of them at the host; otherwise None
        :raises HypervisorUnavailable: the limit is reached
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
        """Stop counting a call. Pass the same arguments as to `begin`."""
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
            free = self._threads - self._count - self._reserved_threads
            is_full = calls >= free
            if not is_full:
                calls, where = calls_of_hypervisor, place.hypervisor
                is_full = calls >= _HYPERVISOR_SHARE * free
        if is_full:
            raise HypervisorUnavailable(
                f"this worker has {calls} calls to {where} in progress: try again later", _CALL_RETRY_SECONDS
            )


def _check_transfers(place: Place, transfers: int, max_transfers: int) -> None:
    if transfers >= max_transfers:
        raise HypervisorUnavailable(
            f"this worker has {transfers} imports and exports of {place.target} in progress: try again later",
            _TRANSFER_RETRY_SECONDS,
        )


def _decrement(counts: dict[K, int], key: K) -> None:
    count = counts.pop(key) - 1
    if count:
        counts[key] = count
