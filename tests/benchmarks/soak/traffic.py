"""Open-loop traffic: requests are sent when they are due, whatever became of those before.

A closed loop, which waits for each response, would send less to a service that stalls, and so hide the stall.
"""

import asyncio
import time
from collections import deque
from itertools import count
from random import Random
from typing import NamedTuple

from benchmarks.soak import requests
from benchmarks.soak.http_client import Client, Response, Unanswered
from benchmarks.soak.lives import PREFIX, Guests, Life, life
from benchmarks.soak.requests import Request
from benchmarks.soak.samples import Sample

#: Guests that are being created, changed and deleted at one hypervisor at any time.
_LIVES = 8
#: Operations and how often each is chosen, in percent. The rest are steps of lives.
_READS = {"guest_info": 40, "disk_list": 15, "pool_info": 15, "guest_list": 10}
#: Of the requests: clients that keep connections would never meet a worker whose threads are all taken, if
#: their connections happen to be at another.
_ANEW_SHARE = 0.5
_WRITES_PERCENT = 100 - sum(_READS.values())


class Clock:
    """The time since traffic began, and the phase that it is in."""

    def __init__(self) -> None:
        self._begin_seconds = time.monotonic()
        self.phase = 0
        #: Whether traffic is to end.
        self.is_over = False

    @property
    def seconds(self) -> float:
        """How long ago traffic began."""
        return time.monotonic() - self._begin_seconds


class _Sending(NamedTuple):
    """A request that is due or in flight."""

    request: Request
    #: The restarts of the hypervisor when what the request takes for granted was learned.
    epoch: int
    #: What waits for the response.
    life: Life | None = None


class Target:
    """The traffic to one hypervisor, with connections and a bound on requests of its own."""

    def __init__(
        self,
        name: str,
        base: str,
        client: Client,
        *,
        seed: str,
        rate: float,
        max_in_flight: int,
    ) -> None:
        """Send nothing yet.

        :param base: the path of the hypervisor
        :param seed: decides which operations are sent, and in which order
        :param rate: requests in a second
        :param max_in_flight: what would be one more is not sent, and counts as unanswered
        """
        self.name = name
        self.base = base
        self.client = client
        self.samples: list[Sample] = []
        #: How late requests were sent: the cost of the generator itself.
        self.lateness_ms: list[float] = []
        #: Guests that are there from the beginning, and stay.
        self.seeded: list[str] = []
        self.guests = Guests()
        #: Counts restarts of the hypervisor. What was known of its guests before is of no use after.
        self.epoch = 0
        #: Whether the hypervisor has all guests that it is known to have.
        self.state_is_known = True
        self._seed = seed
        self._random = Random(seed)  # noqa: S311  to be the same again
        self._rate = rate
        self._max_in_flight = max_in_flight
        self._in_flight: set[asyncio.Task[None]] = set()
        self._numbers = count(1)
        self._lives: deque[_Sending] = deque(self._new_life() for _ in range(_LIVES))

    async def find_seeded(self) -> None:
        """Learn which guests there are.

        :raises Unanswered: the service did not list them
        """
        response = await self.client.send("GET", self.base + requests.LIST_PATH)
        found = response.json if response.status == 200 else []
        seeded = [guest["id"] for guest in found if not guest["name"].startswith(PREFIX)]
        if not seeded:
            raise Unanswered(f"status {response.status}")
        self.seeded = seeded

    def restarts(self) -> None:
        """Note that the hypervisor loses its guests now."""
        self.epoch += 1
        self.state_is_known = False
        self.guests.forget()

    def has_restarted(self) -> None:
        """Note that from now on the hypervisor keeps its guests again."""
        self.epoch += 1
        self.state_is_known = True
        self.guests.forget()

    async def run(self, clock: Clock) -> None:
        """Send requests until the clock says that it is over, then wait for those in flight."""
        begin_seconds = clock.seconds
        for number in count():
            due_seconds = begin_seconds + number / self._rate
            await asyncio.sleep(max(0.0, due_seconds - clock.seconds))
            if clock.is_over:
                break
            self.lateness_ms.append(1000 * (clock.seconds - due_seconds))
            self._send(due_seconds, clock)
        while self._in_flight:
            await asyncio.wait(self._in_flight)

    def _send(self, due_seconds: float, clock: Clock) -> None:
        sending = self._next()
        anew = self._random.random() < _ANEW_SHARE
        unsent = Sample(due_seconds, self.name, sending.request.operation, clock.phase)
        if len(self._in_flight) >= self._max_in_flight:
            self.samples.append(unsent._replace(reason=f"not sent: {self._max_in_flight} in flight"))
            if sending.life is not None:
                self._lives.appendleft(sending)
            return
        task = asyncio.create_task(self._perform(sending, unsent, clock, anew=anew))
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)

    def _next(self) -> _Sending:
        names = [*_READS, "step"]
        (chosen,) = self._random.choices(names, [*_READS.values(), _WRITES_PERCENT])
        guest = self._random.choice(self.seeded)
        match chosen:
            case "step" if self._lives:
                return self._lives.popleft()
            case "disk_list":
                request = requests.disk_list(guest)
            case "pool_info":
                request = requests.pool_info()
            case "guest_list":
                request = requests.guest_list(self.seeded)
            case _:
                request = requests.guest_info(guest)
        return _Sending(request, self.epoch)

    async def _perform(self, sending: _Sending, unsent: Sample, clock: Clock, *, anew: bool) -> None:
        request = sending.request
        response: Response | None = None
        reason, wrong = "", ""
        try:
            path = self.base + request.path
            response = await self.client.send(request.method, path, request.body, anew=anew)
        except Unanswered as error:
            reason = str(error)
        sample = unsent._replace(latency_ms=1000 * (clock.seconds - unsent.due_seconds), reason=reason)
        if response is not None:
            status, value = response.status, response.json
            if status >= 400 and isinstance(value, dict):
                reason = str(value.get("error", ""))
            state_is_known = self.state_is_known and sending.epoch == self.epoch
            wrong = request.wrong(response, state_is_known=state_is_known)
            is_success = status == request.status
            sample = sample._replace(status=status, is_success=is_success, reason=reason, wrong=wrong)
        self.samples.append(sample)
        if sending.life is not None:
            self._lives.append(self._continued(sending, sending.life, None if wrong else response))

    def _continued(self, sending: _Sending, alive: Life, response: Response | None) -> _Sending:
        """Return the next step of a life after a response, or the first of another where it has ended."""
        try:
            return sending._replace(request=alive.send(response))
        except StopIteration:
            return self._new_life()

    def _new_life(self) -> _Sending:
        name = f"{PREFIX}{next(self._numbers)}"
        # Its own: when a life goes on depends on responses, and shall not change what else is sent.
        own = Random(f"{self._seed} {name}")  # noqa: S311  to be the same again
        alive = life(name, self.guests, own)
        return _Sending(next(alive), self.epoch, alive)
