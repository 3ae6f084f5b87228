"""The places that sessions take, and the bounds on their number."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from simplestack.errors import HypervisorUnavailable
from simplestack.sessions.maker import Place, SessionKey, SessionMaker

#: How many times its bound a number of sessions may reach while evicted ones are logged out.
_OVERLAP = 2
#: A host gets a quarter of the places of a hypervisor's connections that are being made.
_CONNECTING_SHARE = 4


@dataclass(eq=False, repr=False, slots=True)
class Slot:
    """One session, from the moment that it begins to connect."""

    key: SessionKey
    maker: SessionMaker
    session: Any = None
    #: Whether `session` is one: what a plugin returns as its session may be None.
    is_connected: bool = False
    #: Why it could not be made.
    failure: BaseException | None = None
    #: How many calls use it, the one that it is made for included.
    users: int = 1
    broken: bool = False
    #: Calls that were abandoned and still use the session.
    abandoned_calls: int = 0
    idle_since_seconds: float = field(default_factory=time.monotonic)
    #: Whether it still takes a place at its host.
    counts_at_host: bool = True
    #: Whether it has given that place back although it still hangs.
    is_forgiven: bool = False

    def __repr__(self) -> str:
        """Show whose it is and what it is doing, and neither the session nor the digest of a password."""
        states = {
            "broken": self.broken,
            "connecting": not self.is_connected and self.failure is None,
            "failed": self.failure is not None,
            "idle": self.is_idle,
        }
        shown = [state for state, holds in states.items() if holds]
        shown += [f"users={self.users}"] if self.users else []
        shown += [f"abandoned_calls={self.abandoned_calls}"] if self.abandoned_calls else []
        return f"<Slot of {self.key.place.hypervisor} at {self.key.target}: {', '.join(shown)}>"

    @property
    def is_idle(self) -> bool:
        """Whether nobody uses it: it is connected, since a call uses it while it connects."""
        return self.users == 0

    @property
    def is_over(self) -> bool:
        """Whether the session has to be logged out, and nobody uses it any more."""
        return self.broken and self.users == 0 and self.abandoned_calls == 0

    def has_expired(self, now_seconds: float) -> bool:
        """Tell whether it has been idle for longer than its host's settings allow."""
        return now_seconds - self.idle_since_seconds > self.maker.idle_timeout_seconds


class Slots:
    """All slots of a pool. Whoever uses it holds the pool's lock.

    A slot that was removed is found no more, but counts until it is uncounted: its session is being logged
    out, or an abandoned thread uses it.
    """

    def __init__(self, max_sessions: int, max_connecting: int) -> None:
        """Start without any.

        :param max_sessions: bound on all sessions
        :param max_connecting: bound on those of one hypervisor that are connecting: hosts that do not answer
            may be many, and each holds a thread
        """
        self._max_sessions = max_sessions
        self._max_connecting = max_connecting
        self._max_connecting_at_host = max(1, max_connecting // _CONNECTING_SHARE)
        self._connecting: Counter[str] = Counter()
        self._connecting_at: Counter[Place] = Counter()
        self._slots: defaultdict[SessionKey, list[Slot]] = defaultdict(list)
        self._at: Counter[Place] = Counter()
        #: Slots that are removed but still used by a thread that may hang, and since when.
        self._hung: dict[Slot, float] = {}
        #: By host, how many of these have given their place back.
        self._forgiven: Counter[Place] = Counter()
        self._counted: set[Slot] = set()

    def __iter__(self) -> Iterator[Slot]:
        return (slot for slots in self._slots.values() for slot in slots)

    @property
    def count(self) -> int:
        """How many sessions there are, those included that are connecting, hang or are being logged out."""
        return len(self._counted)

    def targets(self) -> Counter[str]:
        """Return how many of these sessions each host has."""
        return Counter(slot.key.target for slot in self._counted)

    def of(self, key: SessionKey) -> list[Slot]:
        """Return the slots of one user at one host."""
        return self._slots.get(key, [])

    def idle(self, wanted: Callable[[Slot], bool]) -> list[Slot]:
        """Return idle slots, the one that has been idle for longest first."""
        idle = [slot for slot in self if slot.is_idle and wanted(slot)]
        return sorted(idle, key=lambda slot: slot.idle_since_seconds)

    def evictable(self, key: SessionKey, maker: SessionMaker) -> list[Slot] | None:
        """Return the idle slots that have to go to make room for one more; None where that makes no room.

        Evicted sessions count until they are logged out: hosts that hang in logouts must not get more and
        more of them. A host that is slow to connect to gets a few connections at a time: it must not take the
        places of the others, and a session that becomes free meanwhile may be enough.
        """
        if self._connecting_at[key.place] >= self._max_connecting_at_host:
            return None
        evicted: list[Slot] = []
        at_host = self._at[key.place]
        if at_host >= maker.max_sessions:
            evicted = self.idle(lambda slot: slot.key.place == key.place)[:1]
            if not evicted or at_host >= _OVERLAP * maker.max_sessions:
                return None
        if self.count - len(evicted) >= self._max_sessions:
            others = self.idle(lambda slot: slot not in evicted)[:1]
            if not others or self.count >= _OVERLAP * self._max_sessions:
                return None
            evicted += others
        return evicted

    def add(self, key: SessionKey, maker: SessionMaker) -> Slot:
        """Take a place for a session that is about to connect; `connected` must follow.

        :raises HypervisorUnavailable: too many are connecting
        """
        hypervisor = key.place.hypervisor
        if self._connecting[hypervisor] >= self._max_connecting:
            raise HypervisorUnavailable(
                f"this worker is busy, {self._max_connecting} connections of {hypervisor} are being made, to "
                "hosts that are slow or do not answer: try again"
            )
        self._connecting[hypervisor] += 1
        self._connecting_at[key.place] += 1
        slot = Slot(key, maker)
        self._slots[key].append(slot)
        self._at[key.place] += 1
        self._counted.add(slot)
        return slot

    def connected(self, slot: Slot) -> None:
        """Note that a slot is not connecting any more, whether or not it has a session now."""
        self._connecting[slot.key.place.hypervisor] -= 1
        self._connecting_at[slot.key.place] -= 1
        if not self._connecting_at[slot.key.place]:
            del self._connecting_at[slot.key.place]  # hosts come and go

    def remove(self, slot: Slot) -> None:
        """Make sure that nobody finds a slot any more."""
        slots = self._slots.get(slot.key)
        if slots is not None and slot in slots:
            slots.remove(slot)
            if not slots:
                del self._slots[slot.key]

    def hang(self, slot: Slot) -> None:
        """Note that a thread that may hang uses the session of a removed slot: a call, or the logging out."""
        self._hung[slot] = time.monotonic()

    def forgive_hung(self) -> None:
        """Free the places at their host of slots that have hung for too long.

        A host gets as many places back as it has. Otherwise one that never answers would, in the course of
        hours, take the places of all others.
        """
        now = time.monotonic()
        for slot, since_seconds in list(self._hung.items()):
            place = slot.key.place
            if now - since_seconds <= slot.maker.hung_timeout_seconds or not slot.counts_at_host:
                continue
            if self._forgiven[place] < slot.maker.max_sessions:
                self._forgiven[place] += 1
                slot.is_forgiven = True
                self.free_place(slot)

    def uncount(self, slot: Slot) -> None:
        """Free all that a removed slot takes: its session is gone."""
        self._counted.discard(slot)
        self._hung.pop(slot, None)
        if slot.is_forgiven:
            self._forgiven[slot.key.place] -= 1
        self.free_place(slot)

    def free_place(self, slot: Slot) -> None:
        """Free the place of a removed slot at its host, unless that was done before."""
        if not slot.counts_at_host:
            return
        slot.counts_at_host = False
        self._at[slot.key.place] -= 1
        if not self._at[slot.key.place]:
            del self._at[slot.key.place]

    def explain_full(self, key: SessionKey, maker: SessionMaker) -> str:
        """Say why no session could be had."""
        connecting = self._connecting_at[key.place]
        if connecting >= self._max_connecting_at_host:
            return (
                f"no free session at {key.target}, which is slow or does not answer: "
                f"{connecting} connections to it are being made"
            )
        return (
            f"no free session at {key.target}: {self._at[key.place]} of at most {maker.max_sessions} "
            f"are in use, hang or are being logged out, {self.count} of {self._max_sessions} in all"
        )
