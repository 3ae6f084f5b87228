"""The places that sessions take, and the bounds on their number."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from simplestack.errors import HypervisorUnavailable
from simplestack.sessions.maker import SessionKey, SessionMaker


@dataclass(eq=False, slots=True)
class Slot:
    """One session, the making of it included."""

    key: SessionKey
    maker: SessionMaker
    session: Any = None
    #: Why it could not be made.
    failure: BaseException | None = None
    users: int = 0
    broken: bool = False
    #: Calls in threads that were left behind and still use the session.
    abandoned_calls: int = 0
    idle_since_seconds: float = field(default_factory=time.monotonic)
    #: Whether it still takes a place at its host.
    counts_at_host: bool = True

    @property
    def is_idle(self) -> bool:
        """Whether there is a session that nobody uses."""
        return self.session is not None and self.users == 0

    @property
    def is_over(self) -> bool:
        """Whether the session is to be logged out, and nobody stands in the way."""
        return self.broken and self.users == 0 and self.abandoned_calls == 0


class Slots:
    """All slots of a pool. Whoever uses it holds the pool's lock.

    A slot that is removed can be found no more, and still counts until it is uncounted: its session is being
    logged out, or hangs in a thread that was left behind.
    """

    def __init__(self, max_sessions: int, max_connecting: int) -> None:
        """Make none.

        :param max_sessions: bound on all sessions
        :param max_connecting: bound on those of one hypervisor that are in the making, so that hosts which do
            not answer cannot hold every thread of the service
        """
        self._max_sessions = max_sessions
        self._max_connecting = max_connecting
        self._slots: defaultdict[SessionKey, list[Slot]] = defaultdict(list)
        self._connecting: Counter[str] = Counter()
        self._at: Counter[tuple[str, str]] = Counter()
        #: Slots with a thread that was left behind, and since when.
        self._hung: dict[Slot, float] = {}
        self.count = 0

    def __iter__(self) -> Iterator[Slot]:
        return (slot for slots in self._slots.values() for slot in slots)

    def of(self, key: SessionKey) -> list[Slot]:
        """Return the slots of one user at one host."""
        return self._slots.get(key, [])

    def idle(self, wanted: Callable[[Slot], bool]) -> list[Slot]:
        """Return idle slots, those that have been so for longest first."""
        found = [slot for slot in self if slot.is_idle and wanted(slot)]
        return sorted(found, key=lambda slot: slot.idle_since_seconds)

    def check_crowd(self, key: SessionKey, maker: SessionMaker) -> None:
        """Pass one more user at a host.

        :raises HypervisorUnavailable: there are as many as may be
        """
        if maker.max_calls is None:
            return
        users = sum(slot.users for slot in self if slot.key.place == key.place)
        if users >= maker.max_calls:
            raise HypervisorUnavailable(f"{users} calls are under way at {key.target} already", 1)

    def in_the_way(self, key: SessionKey, maker: SessionMaker) -> list[Slot] | None:
        """Return the idle slots that must go for one more session; None where none would help."""
        going: list[Slot] = []
        if self._at[key.place] >= maker.max_sessions:
            going = self.idle(lambda slot: slot.key.place == key.place)[:1]
            if not going:
                return None
        if self.count - len(going) >= self._max_sessions:
            others = self.idle(lambda slot: slot not in going)[:1]
            if not others:
                return None
            going += others
        return going

    def add(self, key: SessionKey, maker: SessionMaker) -> Slot:
        """Take a place for a session that is about to be made.

        :raises HypervisorUnavailable: too many are being made already
        """
        if self._connecting[key.hypervisor] >= self._max_connecting:
            raise HypervisorUnavailable(
                f"{self._connecting[key.hypervisor]} connections of {key.hypervisor} are being made already, "
                "at hosts that answer slowly or never"
            )
        slot = Slot(key, maker, users=1)
        self._connecting[key.hypervisor] += 1
        self._slots[key].append(slot)
        self._at[key.place] += 1
        self.count += 1
        return slot

    def made(self, slot: Slot) -> None:
        """Say that the making of a session is over, whatever came of it."""
        self._connecting[slot.key.hypervisor] -= 1

    def remove(self, slot: Slot) -> None:
        """Let nobody find a slot any more."""
        slots = self._slots.get(slot.key)
        if slots is not None and slot in slots:
            slots.remove(slot)
            if not slots:
                del self._slots[slot.key]

    def hang(self, slot: Slot) -> None:
        """Say that a thread with a removed slot's session was left behind."""
        self._hung[slot] = time.monotonic()

    def forgive_hung(self) -> None:
        """Let the host's other users have the places of those that have hung for too long."""
        now = time.monotonic()
        for slot, since_seconds in list(self._hung.items()):
            if now - since_seconds > slot.maker.hung_timeout_seconds:
                del self._hung[slot]
                self._give_up_place(slot)

    def uncount(self, slot: Slot) -> None:
        """Give the place of a removed slot free."""
        self.count -= 1
        self._hung.pop(slot, None)
        if slot.counts_at_host:
            self._give_up_place(slot)

    def _give_up_place(self, slot: Slot) -> None:
        slot.counts_at_host = False
        self._at[slot.key.place] -= 1
        if not self._at[slot.key.place]:
            del self._at[slot.key.place]

    def explain_full(self, key: SessionKey, maker: SessionMaker) -> str:
        """Say why there is no session to be had."""
        return (
            f"no free session at {key.target}: {self._at[key.place]} of at most {maker.max_sessions} "
            f"are in use or hang, {self.count} of {self._max_sessions} in all"
        )
