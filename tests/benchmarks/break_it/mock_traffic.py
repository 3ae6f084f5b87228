"""The mock's traffic meanwhile: what an attack takes from others."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from benchmarks.soak.samples import percentile
from support.service import Service

#: Requests to the mock in a second, sent when they are due.
_RATE = 80.0
_CLIENT_SECONDS = 5.0


class Phase(NamedTuple):
    """What became of the requests that were due in some time."""

    #: Successes that came within that time, in a second.
    rate: float
    #: From when they were due; a request that failed counts as one that waited for its time-out.
    p99_ms: float


def reader(service: Service) -> Callable[[], bool]:
    """Return what reads a guest of the mock, and tells whether it succeeded."""
    guest = service.get("/mock/traffic/guests?fields=id").json[0]["id"]
    path = f"/mock/traffic/guests/{guest}"

    def read() -> bool:
        try:
            return service.get(path, timeout_seconds=_CLIENT_SECONDS).status == 200
        except OSError:
            return False

    return read


def measured(read: Callable[[], bool], seconds: float, pool: ThreadPoolExecutor) -> Phase:
    """Read at a fixed rate for some time, whatever becomes of the requests before."""
    started = time.monotonic()

    def ended(due: float) -> tuple[float, float]:
        """Return when a success came, and how long that took; infinity and the time-out for a failure."""
        if read():
            return time.monotonic(), time.monotonic() - due
        return float("inf"), _CLIENT_SECONDS

    sent = []
    for number in range(int(_RATE * seconds)):
        due = started + number / _RATE
        time.sleep(max(0.0, due - time.monotonic()))
        sent.append(pool.submit(ended, due))
    found = [request.result() for request in sent]
    in_time = sum(end <= started + seconds for end, _ in found)
    return Phase(in_time / seconds, 1000 * (percentile((wait for _, wait in found), 99) or 0))
