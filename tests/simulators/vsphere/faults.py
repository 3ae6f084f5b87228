"""Faults to order: what a call returns instead, or that it never returns."""

from collections.abc import Callable
from typing import Any, Literal

import msgspec
from pyVmomi import vmodl

from simulators import rules
from simulators.rules import Drop
from simulators.vsphere.json_reader import read_properties
from simulators.vsphere.messages import message_of
from simulators.vsphere.products import VCENTER
from simulators.vsphere.schema import MethodFault, find_method, type_by_name
from simulators.vsphere.versions import find_version

_FAILS = (None, "fail task")


class Rule(rules.Rule, kw_only=True, forbid_unknown_fields=True):
    """What happens to a call of a method."""

    #: The method's name in SOAP: ``PowerOnVM_Task``.
    method: str
    #: The type of a fault that the method declares, or of a runtime fault: ``InvalidPowerState``.
    fault: str | None = None
    #: The fault's properties, as VI-JSON has them: a reference is ``{"type": "Task", "value": "task-1"}``.
    properties: dict[str, Any] = msgspec.field(default_factory=dict)
    #: The fault's localized message.
    text: str | None = None
    #: Without one, the call itself fails. "fail task" fails its task, before it has any effect.
    #: "drop before" and "drop after" close the connection before or after the call takes effect.
    #: "hang" never responds. "hold" makes a task wait until it is cancelled, or all faults are removed.
    #: "end sessions" ends all sessions before the call, as a restart of vCenter does.
    effect: Literal["fail task", "drop before", "drop after", "hang", "hold", "end sessions"] | None = None
    #: The progress that a held task shows, in percent.
    progress: int | None = None

    def __post_init__(self) -> None:
        """Check that the method can have this fault.

        :raises ValueError: there is no such method, or it does not declare the fault
        """
        method = find_method(self.method)
        if method is None:
            raise ValueError(f"there is no method {self.method!r}")
        if (self.fault is not None) != (self.effect in _FAILS):
            raise ValueError("`fault` goes without an effect, or with the effect 'fail task'")
        if self.effect in ("hold", "fail task") and not method.is_task:
            raise ValueError(f"{self.method} has no task")
        if self.fault is not None and not method.declares(self.make_fault()):
            raise ValueError(f"{self.method} does not declare {self.fault}")

    def make_fault(self) -> Any:
        """Return the fault.

        :raises ValueError: there is no such type, or it has other properties
        """
        try:
            kind = type_by_name(self.fault or "")
        except KeyError as error:
            raise ValueError(f"there is no fault {self.fault!r}") from error
        if not issubclass(kind, MethodFault):
            raise ValueError(f"{self.fault} is no fault")  # noqa: TRY004  msgspec wants a ValueError
        try:
            made = kind(**read_properties(kind, self.properties, find_version(VCENTER.api_version)))
        except vmodl.fault.InvalidRequest as error:
            raise ValueError(f"{self.fault} with {self.properties}: {message_of(error)}") from error
        made.msg = self.text
        return made


class Faults(rules.Rules[Rule]):
    """The rules that are still to be applied."""

    def order(self, body: bytes) -> None:
        """Add a rule that came as JSON.

        :raises msgspec.DecodeError: it is none
        """
        self.add(msgspec.json.decode(body, type=Rule))

    def ends_sessions(self, method: str) -> bool:
        """Return whether all sessions are to end before this call."""
        return self._take(method, "end sessions") is not None

    def take(self, method: str) -> Rule | None:
        """Return the rule that applies to this call itself."""
        effects = (None, "drop before", "drop after", "hang")
        return self.take_where(lambda rule: rule.method == method and rule.effect in effects)

    def before(self, rule: Rule | None) -> None:
        """Apply a rule before the call takes effect.

        :raises MethodFault: that is what it says
        :raises Drop: or this
        """
        if rule is None:
            return
        if rule.fault is not None:
            raise rule.make_fault()
        if rule.effect == "hang":
            self.hang()
        if rule.effect in ("hang", "drop before"):
            raise Drop

    def fail_task(self, method: str) -> None:
        """Let a task fail, if a rule says so.

        :raises MethodFault: the fault
        """
        rule = self._take(method, "fail task")
        if rule is not None:
            raise rule.make_fault()

    def hold(self, method: str, task: str, show: Callable[[int], None]) -> None:
        """Hold a task up, if a rule says so, until it is let go.

        :param show: shows its progress, in percent
        """
        rule = self.take_hold(lambda rule: (rule.method, rule.effect) == (method, "hold"), task)
        if rule is not None:
            if rule.progress is not None:
                show(rule.progress)
            self.wait(task)

    def _take(self, method: str, effect: str) -> Rule | None:
        return self.take_where(lambda rule: (rule.method, rule.effect) == (method, effect))
