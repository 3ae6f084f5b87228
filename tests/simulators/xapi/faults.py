"""Faults to order: what a message answers instead, or that it never answers."""

import threading
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from simulators.xapi.failures import Failure


class Rule(Struct, kw_only=True, forbid_unknown_fields=True):
    """What happens to a message."""

    #: The message; or ``export`` or ``import``, of an image. In the middle of ``VM.revert``, ``VDI.revert``
    #: and ``VDI.clone`` come for each disk.
    message: str
    #: Fail with a code and parameters: an import when half of the disks have been read, all else at once.
    code: str | None = None
    parameters: list[str] = []
    #: Or close the connection, before the message has any effect or after it; or never answer.
    #: An export that is dropped "before" gets no answer and fails its task; one that is dropped "after"
    #: breaks in its middle, and with a code says so at its end.
    #: A task that is held waits until it is cancelled, or all faults are forgotten; then it goes on.
    #: "end sessions" ends all sessions before the message or transfer, as a restart of XAPI does.
    effect: Literal["drop before", "drop after", "hang", "hold", "end sessions"] | None = None
    #: How many calls pass first.
    after: int = 0
    #: How often.
    times: int = 1


class Drop(Exception):
    """The connection is to be closed without an answer."""


class Faults:
    """The rules that are still to be applied."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._hanging = threading.Event()
        #: Tasks that are held up, and what lets them go.
        self._held: dict[str, threading.Event] = {}
        #: Tasks that are not to be held up any more.
        self._released: set[str] = set()

    def add(self, rule: Rule) -> None:
        """Apply a rule to messages that come from now on."""
        with self._lock:
            self._rules.append(rule)

    def clear(self) -> None:
        """Forget all rules, and let go of what hangs."""
        with self._lock:
            self._rules.clear()
            self._hanging.set()
            self._hanging = threading.Event()
            for held in self._held.values():
                held.set()

    def hold(self, message: str, task: str) -> None:
        """Hold a task up, if a rule says so, until it is let go."""
        with self._lock:
            rule = next(
                (found for found in self._rules if (found.message, found.effect) == (message, "hold")), None
            )
            if rule is None or task in self._released:
                return
            self._rules.remove(rule)
            let_go = self._held[task] = threading.Event()
        let_go.wait()
        with self._lock:
            del self._held[task]

    def release(self, task: str) -> None:
        """Let go of a task that is held up, and hold it up no more."""
        with self._lock:
            self._released.add(task)
            held = self._held.get(task)
            if held is not None:
                held.set()

    def ends_sessions(self, message: str) -> bool:
        """Tell whether all sessions are to end before this call of a message."""
        return self._take(message, lambda effect: effect == "end sessions") is not None

    def take(self, message: str) -> Rule | None:
        """Return the rule that applies to this call of a message."""
        return self._take(message, lambda effect: effect not in ("hold", "end sessions"))

    def _take(self, message: str, has: Callable[[str | None], bool]) -> Rule | None:
        with self._lock:
            for rule in self._rules:
                if rule.message == message and has(rule.effect):
                    if rule.after:
                        rule.after -= 1
                        continue
                    rule.times -= 1
                    if rule.times <= 0:
                        self._rules.remove(rule)
                    return rule
        return None

    def before(self, rule: Rule | None) -> None:
        """Do what a rule says before the message has an effect.

        :raises Failure: that is what it says
        :raises Drop: or this
        """
        if rule is None:
            return
        if rule.code is not None:
            raise Failure(rule.code, *rule.parameters)
        if rule.effect == "hang":
            self._hanging.wait()
        if rule.effect in ("hang", "drop before"):
            raise Drop
