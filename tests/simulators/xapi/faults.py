"""Faults to order: what a message answers instead, or that it never answers."""

import threading
from typing import Literal

from msgspec import Struct

from simulators.xapi.failures import Failure


class Rule(Struct, kw_only=True, forbid_unknown_fields=True):
    """What happens to a message."""

    message: str
    #: Fail with a code and parameters.
    code: str | None = None
    parameters: list[str] = []
    #: Or close the connection, before the message has any effect or after it; or never answer.
    effect: Literal["drop before", "drop after", "hang"] | None = None
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

    def take(self, message: str) -> Rule | None:
        """Return the rule that applies to this call of a message."""
        with self._lock:
            for rule in self._rules:
                if rule.message == message:
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
