"""Slots of sessions, and the limits on their number."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from simplestack.errors import HypervisorUnavailable
from simplestack.sessions.maker import Place, SessionKey, SessionMaker

#: Factor by which the number of sessions may exceed its limit while evicted sessions are logged out.
_OVERLAP = 2
#: A host gets at most a quarter of a hypervisor's connecting sessions.
_CONNECTING_SHARE = 4


@dataclass(eq=False, repr=False, slots=True)
class Slot:
    """A session, from the start of connecting."""

    key: SessionKey
    maker: SessionMaker
    session: Any = None
    #: Whether `session` is set: a plugin's session may be None.
    is_connected: bool = False
    #: Why connecting failed.
    failure: BaseException | None = None
    #: Number of calls that use it, including the one that connects it.
    users: int = 1
    broken: bool = False
    #: Number of abandoned calls that still use the session.
    abandoned_calls: int = 0
    idle_since_seconds: float = field(default_factory=time.monotonic)
    #: Whether it counts towards the limit of its host.
    counts_at_host: bool = True
    #: Whether it hangs but no longer counts towards the limit of its host.
    is_forgiven: bool = False

    def __repr__(self) -> str:
        """Show the host and the state, without the session and the digest."""
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
    def state(self) -> str:
        """The state of a session that is in the pool, for `Meter`."""
        if not self.is_connected:
            return "connecting"
        return "busy" if self.users else "idle"

    @property
    def is_idle(self) -> bool:
        """Whether no call uses it. It is connected then, since a call uses it while it connects."""
        return self.users == 0

    @property
    def is_over(self) -> bool:
        """Whether the session can be logged out: it was removed, and no call uses it."""
        return self.broken and self.users == 0 and self.abandoned_calls == 0

    def has_expired(self, now_seconds: float) -> bool:
        """Return whether it has been idle for longer than `idle_timeout_seconds`."""
        return now_seconds - self.idle_since_seconds > self.maker.idle_timeout_seconds


class Slots:
    """All slots of a pool. The caller must hold the pool's lock.

    A removed slot is not given to calls, but counts until `uncount`: its session is being logged out, or an
    abandoned thread uses it.
    """

    def __init__(self, max_sessions: int, max_connecting: int) -> None:
        """Start without slots.

        :param max_sessions: maximum number of all sessions
        :param max_connecting: maximum number of connecting sessions of a hypervisor: each uses a thread, and
            many hosts may not respond
        """
        self._max_sessions = max_sessions
        self._max_connecting = max_connecting
        self._max_connecting_at_host = max(1, max_connecting // _CONNECTING_SHARE)
        self._connecting: Counter[str] = Counter()
        self._connecting_at: Counter[Place] = Counter()
        self._slots: defaultdict[SessionKey, list[Slot]] = defaultdict(list)
        self._at: Counter[Place] = Counter()
        #: Removed slots that a possibly hanging thread still uses, and since when.
        self._hung: dict[Slot, float] = {}
        #: Number of these that no longer count towards the limit of their host, by host.
        self._forgiven: Counter[Place] = Counter()
        self._counted: set[Slot] = set()

    def __iter__(self) -> Iterator[Slot]:
        return (slot for slots in self._slots.values() for slot in slots)

    @property
    def count(self) -> int:
        """Number of sessions, including those that are connecting, hang or are being logged out."""
        return len(self._counted)

    def targets(self) -> Counter[str]:
        """Return the number of sessions by host."""
        return Counter(slot.key.target for slot in self._counted)

    def states(self) -> Counter[tuple[Place, str]]:
        """Return the number of sessions by host and state, for `Meter`."""
        return Counter(
            (slot.key.place, "ending" if slot in self._hung else slot.state) for slot in self._counted
        )

    def of(self, key: SessionKey) -> list[Slot]:
        """Return the slots of a user at a host."""
        return self._slots.get(key, [])

    def idle(self, wanted: Callable[[Slot], bool]) -> list[Slot]:
        """Return idle slots, longest idle first."""
        idle = [slot for slot in self if slot.is_idle and wanted(slot)]
        return sorted(idle, key=lambda slot: slot.idle_since_seconds)

    def evictable(self, key: SessionKey, maker: SessionMaker) -> list[Slot] | None:
        """Return the idle slots to remove to make room for another; None if there is no room.

        Evicted sessions count until they are logged out, so that hosts with hanging logouts do not get more
        and more sessions. A host that connects slowly gets only a few connections at a time, so that it does
        not use up those of other hosts.
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
        """Add a slot for a session that is about to connect. Call `connected` afterwards.

        :raises HypervisorUnavailable: too many sessions are connecting
        """
        hypervisor = key.place.hypervisor
        if self._connecting[hypervisor] >= self._max_connecting:
            raise HypervisorUnavailable(
                f"this worker waits for {self._max_connecting} new connections to hosts of {hypervisor} "
                "that are slow or do not respond: try again later"
            )
        self._connecting[hypervisor] += 1
        self._connecting_at[key.place] += 1
        slot = Slot(key, maker)
        self._slots[key].append(slot)
        self._at[key.place] += 1
        self._counted.add(slot)
        return slot

    def connected(self, slot: Slot) -> None:
        """Record the end of connecting, successful or not."""
        self._connecting[slot.key.place.hypervisor] -= 1
        self._connecting_at[slot.key.place] -= 1
        if not self._connecting_at[slot.key.place]:
            del self._connecting_at[slot.key.place]  # hosts come and go

    def remove(self, slot: Slot) -> None:
        """Stop giving a slot to calls."""
        slots = self._slots.get(slot.key)
        if slots is not None and slot in slots:
            slots.remove(slot)
            if not slots:
                del self._slots[slot.key]

    def hang(self, slot: Slot) -> None:
        """Record that a possibly hanging thread uses a removed slot: a call or a logout."""
        self._hung[slot] = time.monotonic()

    def forgive_hung(self) -> None:
        """Stop counting slots at their host that have hung for too long.

        The number is limited to `max_sessions` of the host. Otherwise a host that never responds would use up
        all sessions within hours.
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
        """Stop counting a removed slot whose session has ended."""
        self._counted.discard(slot)
        self._hung.pop(slot, None)
        if slot.is_forgiven:
            self._forgiven[slot.key.place] -= 1
        self.free_place(slot)

    def free_place(self, slot: Slot) -> None:
        """Stop counting a removed slot at its host, if it still counts."""
        if not slot.counts_at_host:
            return
        slot.counts_at_host = False
        self._at[slot.key.place] -= 1
        if not self._at[slot.key.place]:
            del self._at[slot.key.place]

    def explain_full(self, key: SessionKey, maker: SessionMaker) -> str:
        """Return the error message when no session is free."""
        connecting = self._connecting_at[key.place]
        if connecting >= self._max_connecting_at_host:
            return (
                f"no free session at {key.target}, which is slow or does not respond: "
                f"sessions that are still connecting: {connecting}; try again later"
            )
        return (
            f"no free session at {key.target}: {self._at[key.place]} of {maker.max_sessions} sessions are in "
            f"use, hang or are being logged out, {self.count} of {self._max_sessions} at all hosts: "
            "try again later"
        )
