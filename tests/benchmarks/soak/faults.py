"""The faults of the schedule. Each lasts as long as its block."""

import asyncio
import contextlib
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from random import Random
from typing import Any

import psutil

from benchmarks.soak import injection
from benchmarks.soak.http_client import Client, Unanswered
from benchmarks.soak.pools import Pool
from benchmarks.soak.slow_clients import SlowClients
from benchmarks.soak.traffic import Target

_KILL_INTERVAL_SECONDS = 3.0
#: Of the phase: for so long a killed pool is down.
_DOWN_SHARE = 0.5
_SLOW_CLIENTS = 200
#: More than the service has threads by default on two cores.
_SLOW_READERS = 80
_HANGING_REQUESTS = 60
_RETRY_SECONDS = 0.5
_RETRIES = 120

_Fault = contextlib.AbstractAsyncContextManager[None]


@dataclass
class Faults:
    """Brings faults about, and counts what only they can count."""

    pool: Pool
    #: The traffic to that pool.
    target: Target
    #: The service's first process.
    arbiter: psutil.Process
    client: Client
    slow: SlowClients
    random: Random
    #: Runs what may go on for longer than its phase.
    background: asyncio.TaskGroup
    #: Paths of exports of the mock, for slow readers. The others read from the pool.
    exports: list[str]
    #: The path of a list that is never returned.
    hanging: str
    #: What became of requests to the plugin that hangs.
    hanging_outcomes: Counter[str] = field(default_factory=Counter)
    killed_workers: int = 0
    #: By port, since the pool was started: connections of killed workers. Each had a session that nobody can
    #: log out.
    lost_connections: Counter[int] = field(default_factory=Counter)

    def during(self, phase: str, seconds: float) -> _Fault:
        """Return the fault of a phase. Phases of unknown names have none."""
        faults: dict[str, Callable[[], _Fault]] = {
            "dropped-connections": lambda: self._injected(injection.dropped),
            "hangs": lambda: self._injected(injection.hanging),
            "error-codes": lambda: self._injected(injection.failing),
            "killed-pool": lambda: self._killed_pool(_DOWN_SHARE * seconds),
            "stopped-pool": self._stopped_pool,
            "killed-workers": lambda: self._started(self._kill_workers(seconds)),
            "reload": lambda: self._started(self._reload()),
            "slow-clients": lambda: self.slow.senders(_SLOW_CLIENTS),
            "slow-readers": self._slow_readers,
            "hanging-plugin": lambda: self._started(self._ask_hanging_plugin()),
        }
        return faults.get(phase, contextlib.nullcontext)()

    def _injected(self, kind: injection.Kind) -> _Fault:
        return injection.injected(self.pool, kind, self.random)

    def _started(self, work: Coroutine[Any, Any, None]) -> _Fault:
        self.background.create_task(work)
        return contextlib.nullcontext()

    @contextlib.asynccontextmanager
    async def _stopped_pool(self) -> AsyncIterator[None]:
        self.pool.stop()
        try:
            yield
        finally:
            self.pool.go_on()

    def _slow_readers(self) -> _Fault:
        of_pool = [f"{self.target.base}/guests/{guest}/export" for guest in self.target.seeded]
        pairs = zip(self.exports, of_pool, strict=False)
        return self.slow.readers(_SLOW_READERS, self.client, [path for pair in pairs for path in pair])

    @contextlib.asynccontextmanager
    async def _killed_pool(self, down_seconds: float) -> AsyncIterator[None]:
        async def restart() -> None:
            await asyncio.sleep(down_seconds)
            await asyncio.to_thread(self.pool.start)
            self.background.create_task(self._find_guests_again())

        self.target.restarts()
        self.pool.kill()
        del self.lost_connections[self.pool.port]  # their sessions have gone with it
        async with asyncio.TaskGroup() as group:
            group.create_task(restart())
            yield

    async def _find_guests_again(self) -> None:
        for _ in range(_RETRIES):
            with contextlib.suppress(Unanswered):
                await self.target.find_seeded()
                self.target.has_restarted()
                return
            await asyncio.sleep(_RETRY_SECONDS)

    async def _kill_workers(self, seconds: float) -> None:
        for number in range(max(1, int(seconds / _KILL_INTERVAL_SECONDS))):
            if number:
                await asyncio.sleep(_KILL_INTERVAL_SECONDS)
            with contextlib.suppress(psutil.NoSuchProcess, IndexError):
                worker = self.random.choice(self.arbiter.children())
                connections = worker.net_connections("tcp")
                self.lost_connections += Counter(found.raddr.port for found in connections if found.raddr)
                worker.kill()
                self.killed_workers += 1

    async def _reload(self) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            self.arbiter.send_signal(signal.SIGHUP)

    async def _ask_hanging_plugin(self) -> None:
        async def ask() -> None:
            try:
                response = await self.client.send("GET", self.hanging)
                self.hanging_outcomes[f"status {response.status}"] += 1
            except Unanswered as error:
                self.hanging_outcomes[str(error)] += 1

        await asyncio.gather(*(ask() for _ in range(_HANGING_REQUESTS)))
