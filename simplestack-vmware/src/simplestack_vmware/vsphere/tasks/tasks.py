"""Run methods that return a task: wait for it, and cancel it at the time limit."""

import contextlib
import logging
import math
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element

from simplestack import (
    UNKNOWN_OUTCOME,
    Conflict,
    HypervisorError,
    OperationTimeout,
    SimplestackError,
    time_left_seconds,
)
from simplestack_vmware.vsphere.connection.api import Api
from simplestack_vmware.vsphere.connection.faults import Fault, localized_fault, text_of
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.tasks.watching import Gone, Values, Watcher

_log = logging.getLogger(__name__)

#: How long a cancelled task may take to end.
CANCEL_SECONDS = 5.0
_PATHS = ("info.state", "info.error", "info.result")
_ENDED = ("success", "error")


class Tasks:
    """The tasks of a session. A task continues if the connection breaks."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.watcher = Watcher(api)

    def run(
        self,
        method: Callable[..., Any],
        *arguments: Any,
        of: Ref | None = None,
        limit_seconds: float | None = None,
        **named: Any,
    ) -> Ref | None:
        """Call a method that returns a task, wait for the task, and return the object that it made, if any.

        This takes three calls beside the method's own, fewer for a fast task, and one more for the first one.

        :param method: pyvmomi's, such as ``vm.PowerOnVM_Task``; the further arguments are its own
        :param of: the VM that vSphere may ask a question about meanwhile
        :param limit_seconds: time limit. Default: the remaining time of the operation
        :raises Fault: the task failed
        :raises Conflict: the VM has a question, which blocks the task
        :raises OperationTimeout: the task did not end in time, and was cancelled
        """
        task = method(*arguments, **named)
        return self.outcome(Ref("Task", task._GetMoId()), self._api.last_method, of, limit_seconds)  # noqa: SLF001  public in pyvmomi, in spite of its name

    def outcome(
        self, task: Ref, what: str, of: Ref | None = None, limit_seconds: float | None = None
    ) -> Ref | None:
        """Wait for a task, and return the object that it made, as `run`.

        :param what: what it does, for messages
        """
        if limit_seconds is None:
            left = time_left_seconds()
            limit_seconds = self._api.limit_seconds if math.isinf(left) else max(0.0, left)
        values = self._wait(task, of, limit_seconds)
        if _state(values, task) not in _ENDED:
            question = None if of is None else values.get((of.value, "runtime.question"))
            values = self._cancelled(task)
            if _state(values, task) != "success":
                goes_on = (
                    "" if _state(values, task) in _ENDED else "; it was cancelled, but has not ended yet"
                )
                if question is not None:
                    text = text_of(question, "text")
                    raise Conflict(f"vSphere asks about the guest: {text!r}: answer it in vSphere{goes_on}")
                raise OperationTimeout(f"{what} did not end within {limit_seconds:.3g} s{goes_on}")
        if _state(values, task) == "success":
            return _reference(values.get((task.value, "info.result")))
        error = values.get((task.value, "info.error"))
        raise Fault("MethodFault", f"{what} failed") if error is None else localized_fault(error)

    def _wait(self, task: Ref, of: Ref | None, limit_seconds: float) -> Values:
        """Return the properties of a task when it has ended, when a question blocks it, or at the limit."""
        watched: dict[Ref, tuple[str, ...]] = {task: _PATHS}
        if of is not None:
            watched[of] = ("runtime.question",)
        values: Values = {}
        try:
            changes = self.watcher.changes(watched, limit_seconds)
            with contextlib.closing(changes):
                for values in changes:
                    is_asked = of is not None and values.get((of.value, "runtime.question")) is not None
                    if is_asked or _state(values, task) in _ENDED:
                        break
        except Gone:
            raise HypervisorError(
                "vSphere no longer has the result of the task: check whether it took effect", UNKNOWN_OUTCOME
            ) from None
        return values

    def _cancelled(self, task: Ref) -> Values:
        """Cancel a task, and return its properties a little later."""
        try:
            self._api.object(task).CancelTask()
        except (Fault, SimplestackError) as error:
            # It has just ended, or cannot be cancelled.
            _log.info("a task cannot be cancelled: %s", error)
        try:
            return self._wait(task, None, CANCEL_SECONDS)
        except SimplestackError:
            return {}


def _state(values: Values, task: Ref) -> str:
    element = values.get((task.value, "info.state"))
    return "" if element is None else element.text or ""


def _reference(result: Element | None) -> Ref | None:
    """Return the object that a task made, None if its result is something else."""
    kind = None if result is None else result.get("type")
    return None if result is None or kind is None else Ref(kind, result.text or "")
