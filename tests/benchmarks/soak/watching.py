"""What the service takes and leaves: memory, threads and descriptors; sessions and tasks at the pools."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence

import psutil
from msgspec import Struct

from benchmarks.soak.pools import Pool
from benchmarks.soak.traffic import Clock

_MIB = 1024**2


class ProcessUse(Struct, frozen=True, kw_only=True):
    """What one process takes."""

    pid: int
    role: str
    rss_mib: float
    threads: int
    descriptors: int


class PoolUse(Struct, frozen=True, kw_only=True):
    """What there is at one pool that a client can leave behind."""

    pool: str
    sessions: int
    tasks: int


class Look(Struct, frozen=True, kw_only=True):
    """One look at all of it."""

    seconds: float
    #: The name of the phase.
    phase: str
    processes: list[ProcessUse]
    pools: list[PoolUse]


class Watch:
    """Looks again and again."""

    def __init__(
        self, arbiter: psutil.Process, pools: Mapping[str, Pool], clock: Clock, phases: Sequence[str]
    ) -> None:
        """See nothing yet.

        :param phases: the names of the clock's phases
        """
        self._phases = phases
        self._arbiter = arbiter
        self._pools = pools
        self._clock = clock
        self.looks: list[Look] = []
        #: All processes of the service that were seen, but the first.
        self.workers: set[psutil.Process] = set()

    async def run(self, interval_seconds: float) -> None:
        """Look until it is cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(interval_seconds)

    async def look(self) -> None:
        """Look once. A pool that does not respond is left out."""
        seconds, phase = self._clock.seconds, self._phases[self._clock.phase]
        self.workers |= await asyncio.to_thread(workers_of, self._arbiter)
        processes = await asyncio.to_thread(process_uses, self._arbiter)
        pools = await asyncio.to_thread(pool_uses, self._pools)
        self.looks.append(Look(seconds=seconds, phase=phase, processes=processes, pools=pools))


def workers_of(arbiter: psutil.Process) -> set[psutil.Process]:
    """Return the processes below the service's first one; none when that has died."""
    try:
        return set(arbiter.children(recursive=True))
    except psutil.NoSuchProcess:
        return set()


def process_uses(arbiter: psutil.Process) -> list[ProcessUse]:
    """Return what the service's processes take; nothing when the service has died."""
    found: list[ProcessUse] = []
    try:
        processes = [arbiter, *arbiter.children()]
    except psutil.NoSuchProcess:
        return found
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
            use = ProcessUse(
                pid=process.pid,
                role="arbiter" if process == arbiter else "worker",
                rss_mib=process.memory_info().rss / _MIB,
                threads=process.num_threads(),
                descriptors=process.num_fds(),
            )
            found.append(use)
    return found


def pool_uses(pools: Mapping[str, Pool]) -> list[PoolUse]:
    """Return what there is at the pools that respond."""
    found = []
    for name, pool in pools.items():
        if pool.responds:
            with contextlib.suppress(OSError):  # it was killed or stopped just now
                objects = pool.objects()
                found.append(PoolUse(pool=name, sessions=objects["session"], tasks=objects["task"]))
    return found
