"""Tasks: they begin queued, run in a thread of their own, and end with a result or with a declared fault."""

import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pyVmomi import vim, vmodl

from simulators.vsphere.database import Database, Object
from simulators.vsphere.faults import Faults
from simulators.vsphere.messages import message_of
from simulators.vsphere.schema import Method
from simulators.vsphere.sessions import Session

#: vCenter keeps tasks that have ended for ten minutes.
_MAX_ENDED = 500
#: Shown as ``recentTask``.
_MAX_RECENT = 20
State = vim.TaskInfo.State


class Running:
    """A task that is under way, as its work sees it."""

    def __init__(self, tasks: "Tasks", task: Object) -> None:
        self._tasks = tasks
        self.task = task
        self.cancelled = threading.Event()
        #: Until its work takes effect.
        self.can_be_cancelled = True
        self.is_shared = False

    def step(self, percent: int) -> None:
        """Show progress, and stop if the task is cancelled.

        :raises RequestCanceled: it is
        """
        self._tasks.show_progress(self.task, percent)
        self.check()

    def check(self) -> None:
        """Stop if the task is cancelled.

        :raises RequestCanceled: it is
        """
        if self.cancelled.is_set():
            raise vmodl.fault.RequestCanceled

    def wait_for(self, happened: Callable[[], bool], seconds: float | None = None) -> None:
        """Wait until something has happened in the database, which is unlocked meanwhile.

        :raises RequestCanceled: the task is cancelled
        :raises Timedout: it has not happened in time
        """
        end = None if seconds is None else time.monotonic() + seconds
        while not happened():
            self.check()
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                raise vim.fault.Timedout
            self.task.database.changes.wait(left)

    def commit(self) -> None:
        """Take effect from now on: the task cannot be cancelled any more.

        :raises RequestCanceled: it has been cancelled already
        """
        self.check()
        self.can_be_cancelled = False
        self.task["info.cancelable"] = False


def check_connected(entity: Object) -> None:
    """Check that the server reaches a VM, if it is one.

    :raises InvalidState: the VM is orphaned, inaccessible or the like
    """
    is_vm = issubclass(entity.kind, vim.VirtualMachine)
    if is_vm and entity["runtime.connectionState"] != vim.VirtualMachine.ConnectionState.connected:
        raise vim.fault.InvalidState


#: What a task does. Called with the database locked; returns the task's result.
Work = Callable[[Running], Any]


class Tasks:
    """The tasks of a server."""

    def __init__(
        self, database: Database, faults: Faults, report: Callable[[str], None], id_format: str
    ) -> None:
        """Begin without any.

        :param report: called with a defect of the simulator itself: a fault that the method does not declare
        :param id_format: of their IDs: ``{number}`` and ``{method}``
        """
        #: How long each task takes at least.
        self.seconds = 0.0
        #: How many tasks that have ended are kept.
        self.max_ended = _MAX_ENDED
        self._database = database
        self._faults = faults
        self._report = report
        self._id_format = id_format
        self._number = 0
        self._running: dict[str, Running] = {}
        #: The tasks that each busy entity has, by the entity's ID: one, or several that only read it.
        self._busy: dict[str, list[Running]] = {}
        self._ended: deque[str] = deque()

    def start(
        self,
        method: Method,
        entity: Object,
        session: Session | None,
        work: Work,
        *,
        is_cancelable: bool = True,
        is_shared: bool = False,
    ) -> Object:
        """Start a task.

        :param entity: what it is shown with, and busy with if the method declares ``TaskInProgress``
        :param is_cancelable: whether it can be cancelled until it takes effect
        :param is_shared: whether others that are shared may run meanwhile
        """
        self._number += 1
        task = self._add(method, entity, session)
        running = self._running[task.id] = Running(self, task)
        running.is_shared = is_shared
        if not is_cancelable:
            running.commit()
        self._show_recent(task, entity)
        arguments = (method, entity, running, work)
        threading.Thread(target=self._run, args=arguments, daemon=True).start()
        return task

    def cancel(self, task: Object) -> None:
        """Cancel a task.

        :raises InvalidState: it has ended
        :raises NotSupported: it has taken effect already
        """
        running = self._running.get(task.id)
        if running is None:
            raise vim.fault.InvalidState
        if not running.can_be_cancelled:
            raise vmodl.fault.NotSupported
        task["info.cancelled"] = True
        running.cancelled.set()
        self._faults.release(task.id)

    def show_progress(self, task: Object, percent: int) -> None:
        """Show how far a task is."""
        with self._database.lock:
            task["info.progress"] = percent

    def busy_with(self, entity: Object) -> Object | None:
        """Return the task that an entity is busy with."""
        found = self._busy.get(entity.id)
        return found[0].task if found else None

    def release(self, entity: Object) -> None:
        """Let an entity be busy no more, before its task has ended."""
        self._busy.pop(entity.id, None)

    def states(self) -> dict[str, str]:
        """Return the state of each task by its ID."""
        return {task.id: str(task["info.state"]) for task in self._database.all(vim.Task)}

    def _add(self, method: Method, entity: Object, session: Session | None) -> Object:
        moid = self._id_format.format(number=self._number, method=method.description_id)
        is_entity = issubclass(entity.kind, vim.ManagedEntity)
        reason = vim.TaskReasonUser(userName="" if session is None else session.user)
        info = vim.TaskInfo(
            key=moid,
            task=vim.Task(moid),
            descriptionId=method.description_id,
            entityName=entity["name"] if is_entity else None,
            state=State.queued,
            cancelled=False,
            cancelable=True,
            reason=reason,
            queueTime=datetime.now(UTC),
            eventChainId=self._number,
        )
        info.__dict__["name"] = method.name  # pyVmomi has the method itself here
        info.__dict__["entity"] = entity.ref if is_entity else None
        return self._database.add(vim.Task, moid, info=info)

    def _show_recent(self, task: Object, entity: Object) -> None:
        manager = self._database.one(vim.TaskManager)
        manager["recentTask"] = [*manager["recentTask"], task.ref][-_MAX_RECENT:]
        if issubclass(entity.kind, vim.ManagedEntity):
            entity["recentTask"] = [*entity["recentTask"], task.ref][-_MAX_RECENT:]

    def _run(self, method: Method, entity: Object, running: Running, work: Work) -> None:
        task = running.task
        try:
            with self._database.lock:
                self._begin(running, entity, method)
            self._faults.hold(method.name, task.id, lambda percent: self.show_progress(task, percent))
            running.cancelled.wait(self.seconds)
            with self._database.lock:
                running.check()
                self._faults.fail_task(method.name)
                result = work(running)
                self._end(running, entity, state=State.success, result=result)
        except vmodl.MethodFault as fault:
            if not method.declares(fault):
                self._report(f"{method.name} failed with {type(fault).__name__}, which it does not declare")
            self._fail(running, entity, fault)
        except Exception as error:
            self._report(f"{method.name}: {error!r}")
            self._fail(running, entity, vmodl.fault.SystemError(reason=repr(error)))

    def _begin(self, running: Running, entity: Object, method: Method) -> None:
        task = running.task
        task["info.state"] = State.running
        task["info.startTime"] = datetime.now(UTC)
        self._database.get(entity.ref)  # an earlier task may have removed it
        if method.declares(vim.fault.TaskInProgress()):
            try:
                check_connected(entity)
            except vim.fault.InvalidState as fault:
                if method.declares(fault):
                    raise
                raise vmodl.fault.SystemError(reason="The VM is not connected.") from fault
            others = self._busy.setdefault(entity.id, [])
            if others and not (running.is_shared and others[0].is_shared):
                raise vim.fault.TaskInProgress(task=others[0].task.ref)
            others.append(running)

    def _fail(self, running: Running, entity: Object, fault: vmodl.MethodFault) -> None:
        with self._database.lock:
            fault.msg = message_of(fault)
            self._end(running, entity, state=State.error, error=fault)

    def _end(self, running: Running, entity: Object, **outcome: Any) -> None:
        task = running.task
        del self._running[task.id]
        others = self._busy.get(entity.id, [])
        if running in others:
            others.remove(running)
        if not others:
            self._busy.pop(entity.id, None)
        info = task["info"]
        for name, value in outcome.items():
            setattr(info, name, value)
        info.cancelable = False
        info.completeTime = datetime.now(UTC)
        task.touch()
        self._ended.append(task.id)
        if len(self._ended) > self.max_ended:
            oldest = self._database.find(self._ended.popleft())
            if oldest is not None:
                self._database.remove(oldest)
