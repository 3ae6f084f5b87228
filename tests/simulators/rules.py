"""Faults to order: rules that apply to certain calls, and what hangs or is held because of them."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from msgspec import Struct


class Rule(Struct, kw_only=True, forbid_unknown_fields=True):
    """What happens to a call."""

    #: How many calls pass first.
    after: int = 0
    #: How often it applies.
    times: int = 1


class Drop(Exception):
    """The connection is to be closed without a response."""


R = TypeVar("R", bound=Rule)


class Rules(Generic[R]):
    """The rules that are still to be applied."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[R] = []
        self._hanging = threading.Event()
        #: Tasks that are held up, and what lets them go.
        self._held: dict[str, threading.Event] = {}
        #: Tasks that are not to be held up any more.
        self._released: set[str] = set()

    def add(self, rule: R) -> None:
        """Apply a rule to calls that come from now on."""
        with self._lock:
            self._rules.append(rule)

    def clear(self) -> None:
        """Forget all rules, and let go of what hangs or is held."""
        with self._lock:
            self._rules.clear()
            self._hanging.set()
            self._hanging = threading.Event()
            for held in self._held.values():
                held.set()

    def hang(self) -> None:
        """Wait until all rules are forgotten."""
        self._hanging.wait()

    def take_hold(self, applies: Callable[[R], bool], task: str) -> R | None:
        """Return the rule that holds a task up; `wait` then does."""
        with self._lock:
            rule = next((found for found in self._rules if applies(found)), None)
            if rule is None or task in self._released:
                return None
            self._rules.remove(rule)
            self._held[task] = threading.Event()
            return rule

    def wait(self, task: str) -> None:
        """Wait until a task that is held up is let go."""
        self._held[task].wait()
        with self._lock:
            del self._held[task]

    def release(self, task: str) -> None:
        """Let go of a task that is held up, and hold it up no more."""
        with self._lock:
            self._released.add(task)
            held = self._held.get(task)
            if held is not None:
                held.set()

    def take_where(self, applies: Callable[[R], bool]) -> R | None:
        """Return the first rule that applies to this call."""
        with self._lock:
            for rule in self._rules:
                if applies(rule):
                    if rule.after:
                        rule.after -= 1
                        continue
                    rule.times -= 1
                    if rule.times <= 0:
                        self._rules.remove(rule)
                    return rule
        return None
