"""Run methods that return a task: wait for it, and cancel it at the time limit."""

import contextlib
import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from simplestack import (
    UNKNOWN_OUTCOME,
    Conflict,
    HypervisorError,
    HypervisorTimeout,
    HypervisorUnavailable,
    OperationTimeout,
    SimplestackError,
)
from simplestack_vmware.vsphere.connection.api import Api
from simplestack_vmware.vsphere.connection.faults import Fault, localized_fault, text_of
from simplestack_vmware.vsphere.connection.limits import left_seconds, undoing
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.tasks.questions import Answer, read_question
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
        answer: Answer | None = None,
        limit_seconds: float | None = None,
        **named: Any,
    ) -> Ref | None:
        """Call a method that returns a task, wait for the task, and return the object that it made, if any.

        This takes three calls beside the method's own, fewer for a fast task, and one more for the first one.

        :param method: pyvmomi's, such as ``vm.PowerOnVM_Task``; the further arguments are its own
        :param of: the VM that vSphere may ask a question about meanwhile
        :param answer: answers the questions that it knows
        :param limit_seconds: time limit. Default: the remaining time of the operation
        :raises Fault: the task failed
        :raises Conflict: the VM has a question that is not answered, which blocks the task: it was cancelled
        :raises OperationTimeout: the task did not end in time, and was cancelled
        """
        task = self.start(method, *arguments, **named)
        return self.outcome(task, self._api.last_method, of, limit_seconds, answer)

    def start(self, method: Callable[..., Any], *arguments: Any, **named: Any) -> Ref:
        """Call a method that returns a task, as `run`, and return the task."""
        return Ref("Task", method(*arguments, **named)._GetMoId())  # noqa: SLF001  public in pyvmomi, in spite of its name

    def results(self, tasks: Sequence[Ref], what: str) -> list[Element | Fault | None]:
        """Wait for tasks that change nothing, and return the result or the fault of each.

        :param what: what they do, for messages
        :raises OperationTimeout: they did not all end in time, and were cancelled
        """
        if not tasks:
            return []
        limit_seconds = self._limit_seconds()
        values = self._wait_for(dict.fromkeys(tasks, _PATHS), limit_seconds, tasks)
        late = [task for task in tasks if _state(values, task) not in _ENDED]
        for task in late:
            self._cancel(task)
        if late:
            raise OperationTimeout(f"{what} did not end within {limit_seconds:.3g} s")
        return [
            values.get((task.value, "info.result"))
            if _state(values, task) == "success"
            else _fault(values, task, what)
            for task in tasks
        ]

    def outcome(
        self,
        task: Ref,
        what: str,
        of: Ref | None = None,
        limit_seconds: float | None = None,
        answer: Answer | None = None,
    ) -> Ref | None:
        """Wait for a task, and return the object that it made, as `run`.

        :param what: what it does, for messages
        """
        if limit_seconds is None:
            limit_seconds = self._limit_seconds()
        watched: dict[Ref, tuple[str, ...]] = {task: _PATHS}
        if of is not None:
            watched[of] = ("runtime.question",)
        try:
            values = self._wait_for(watched, limit_seconds, [task], of, answer)
        except (HypervisorTimeout, HypervisorUnavailable) as error:
            error.message += f"; {what} may still take effect: check before you try again"
            raise
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
        raise _fault(values, task, what)

    def await_end(self, task: Ref, limit_seconds: float) -> None:
        """Wait until a task has ended, whatever its outcome.

        :raises OperationTimeout: it does not end in time
        """
        try:
            values = self._wait_for({task: _PATHS}, limit_seconds, [task])
        except HypervisorError as error:
            if error.details.get("code") != UNKNOWN_OUTCOME:
                raise
            return  # vSphere has forgotten it
        if _state(values, task) not in _ENDED:
            raise OperationTimeout(f"the task {task.value} did not end within {limit_seconds:.3g} s")

    def _limit_seconds(self) -> float:
        left = left_seconds()
        return self._api.limit_seconds if math.isinf(left) else max(0.0, left)

    def _wait_for(
        self,
        watched: Mapping[Ref, Iterable[str]],
        limit_seconds: float,
        tasks: Sequence[Ref],
        of: Ref | None = None,
        answer: Answer | None = None,
    ) -> Values:
        """Return the properties of tasks when all have ended, when a question blocks one, or at the limit."""
        values: Values = {}
        answered: set[str] = set()
        try:
            changes = self.watcher.changes(watched, limit_seconds)
            with contextlib.closing(changes):
                for values in changes:
                    if all(_state(values, task) in _ENDED for task in tasks):
                        break
                    asked = None if of is None else values.get((of.value, "runtime.question"))
                    if (
                        of is not None
                        and asked is not None
                        and not self._is_answered(of, asked, answer, answered)
                    ):
                        break
        except Gone:
            raise HypervisorError(
                "vSphere no longer has the result of the task: check whether it took effect", UNKNOWN_OUTCOME
            ) from None
        except Fault as fault:  # of the wait: the task may go on
            raise HypervisorError(
                f"vSphere does not report the end of the task ({fault}): check whether it took effect",
                fault.name,
            ) from None
        return values

    def _is_answered(self, vm: Ref, element: Element, answer: Answer | None, answered: set[str]) -> bool:
        """Answer a question, and return whether it is answered.

        :param answered: the IDs of those that have been, which vSphere may still show
        """
        question = read_question(element)
        if question.id in answered:
            return True
        choice = None if answer is None else answer(question)
        if choice is None:
            return False
        try:
            self._api.object(vm).AnswerVM(question.id, choice)
        except Fault as fault:
            if not fault.is_a("ConcurrentAccess"):  # somebody else has just answered it
                _log.warning("a question about a VM cannot be answered: %s", fault)
                return False
        answered.add(question.id)
        return True

    def _cancelled(self, task: Ref) -> Values:
        """Cancel a task, and return its properties a little later."""
        self._cancel(task)
        try:
            with undoing():
                return self._wait_for({task: _PATHS}, CANCEL_SECONDS, [task])
        except SimplestackError:
            return {}

    def _cancel(self, task: Ref) -> None:
        try:
            with undoing():
                self._api.object(task).CancelTask()
        except (Fault, SimplestackError) as error:
            # It has just ended, or cannot be cancelled.
            _log.info("a task cannot be cancelled: %s", error)


def _fault(values: Values, task: Ref, what: str) -> Fault:
    """Return why a task failed."""
    error = values.get((task.value, "info.error"))
    return Fault("MethodFault", f"{what} failed") if error is None else localized_fault(error)


def _state(values: Values, task: Ref) -> str:
    element = values.get((task.value, "info.state"))
    return "" if element is None else element.text or ""


def _reference(result: Element | None) -> Ref | None:
    """Return the object that a task made, None if its result is something else."""
    kind = None if result is None else result.get("type")
    return None if result is None or kind is None else Ref(kind, result.text or "")
