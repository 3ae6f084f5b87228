"""Faults to order: what a message answers instead, or that it never answers."""

from typing import Literal

from msgspec import field

from simulators import rules
from simulators.rules import Drop
from simulators.xapi.failures import Failure

__all__ = ["Drop", "Faults", "Rule"]


class Rule(rules.Rule, kw_only=True, forbid_unknown_fields=True):
    """What happens to a message."""

    #: The message; or ``export``, ``import`` or ``import_raw_vdi``, of an image. In the middle of
    #: ``VM.revert``, ``VDI.revert`` and ``VDI.clone`` come for each disk.
    message: str
    #: Fail with a code and parameters: an import when half of the disks have been read, all else at once.
    code: str | None = None
    parameters: list[str] = field(default_factory=list)
    #: Or close the connection, before the message has any effect or after it; or never answer.
    #: An export that is dropped "before" gets no answer and fails its task; one that is dropped "after"
    #: breaks in its middle, and with a code says so at its end.
    #: A task that is held waits until it is cancelled, or all faults are forgotten; then it goes on.
    #: "end sessions" ends all sessions before the message or transfer, as a restart of XAPI does.
    effect: Literal["drop before", "drop after", "hang", "hold", "end sessions"] | None = None


class Faults(rules.Rules[Rule]):
    """The rules that are still to be applied."""

    def hold(self, message: str, task: str) -> None:
        """Hold a task up, if a rule says so, until it is let go."""
        rule = self.take_hold(lambda rule: (rule.message, rule.effect) == (message, "hold"), task)
        if rule is not None:
            self.wait(task)

    def ends_sessions(self, message: str) -> bool:
        """Tell whether all sessions are to end before this call of a message."""
        rule = self.take_where(lambda rule: (rule.message, rule.effect) == (message, "end sessions"))
        return rule is not None

    def take(self, message: str) -> Rule | None:
        """Return the rule that applies to this call of a message."""
        return self.take_where(
            lambda rule: rule.message == message and rule.effect not in ("hold", "end sessions")
        )

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
            self.hang()
        if rule.effect in ("hang", "drop before"):
            raise Drop
