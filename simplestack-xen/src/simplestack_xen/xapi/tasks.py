"""Run long operations as XAPI tasks: wait for them, cancel them at the time limit, and destroy them."""

import contextlib
import logging
import math
import re
import time
from collections.abc import Iterator
from typing import Any

from simplestack import (
    UNKNOWN_OUTCOME,
    HypervisorError,
    OperationTimeout,
    SimplestackError,
    time_left_seconds,
)
from simplestack_xen.sdk import XenAPI
from simplestack_xen.xapi.api import Api
from simplestack_xen.xapi.events import Batch
from simplestack_xen.xapi.messages import Messages
from simplestack_xen.xapi.records import TaskRecord

_log = logging.getLogger(__name__)

#: How long a cancelled task may take to end.
CANCEL_SECONDS = 5.0
#: How long a message waits for a task to change. The next message detects a host that is down.
_LONGEST_WAIT_SECONDS = 30.0
#: Description of tasks that `Tasks.create` makes.
BY_SIMPLESTACK = "by Simplestack"
#: XAPI's errors for a task that no longer exists. The second is for users without the role to end others'
#: tasks.
_GONE = ("HANDLE_INVALID", "RBAC_PERMISSION_DENIED")


class Tasks:
    """The tasks of a session. A task continues if the connection breaks."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def create(self, label: str) -> str:
        """Create a task for the result of a transfer, and return its reference."""
        return str(self._api.xenapi.task.create(label, BY_SIMPLESTACK))

    @property
    def run(self) -> Messages:
        """Messages that may take XAPI long: ``run.VM.start(ref, False, False, limit_seconds=40)``.

        Each is sent as a task of XAPI's (``Async.VM.start``), so that the connection may break meanwhile, is
        waited for as `outcome` does, and returns the task's result.

        :raises XenAPI.Failure: it failed
        :raises OperationTimeout: it did not end in time
        """
        return Messages(self._run)

    def outcome(self, task: str, what: str, limit_seconds: float | None = None) -> str:
        """Wait for a task, destroy it, and return its result.

        :param limit_seconds: time limit. Default: the remaining time of the operation
        :raises XenAPI.Failure: the task failed
        :raises OperationTimeout: the task did not end in time, and was cancelled
        :raises HypervisorError: the task no longer exists
        """
        if limit_seconds is None:
            left = time_left_seconds()
            limit_seconds = self._api.limit_seconds if math.isinf(left) else max(0.0, left)
        try:
            record = self._wait(task, limit_seconds)
            if record is not None and record.is_pending:
                record = self._cancelled(task)
                if record is None or record.status != "success":
                    goes_on = record is not None and record.is_pending
                    more = "; it was cancelled, but has not ended yet" if goes_on else ""
                    raise OperationTimeout(f"{what} did not end within {limit_seconds:.3g} s{more}")
        finally:
            self._destroy(task)
        if record is None:
            raise HypervisorError(
                f"XAPI no longer has the result of {what}: check whether it took effect", UNKNOWN_OUTCOME
            )
        if record.status == "success":
            return record.result
        raise XenAPI.Failure(record.error_info or ["TASK_CANCELLED", what])

    def abandon(self, task: str) -> None:
        """Cancel a task whose result is not needed, and destroy it."""
        with contextlib.suppress(XenAPI.Failure, SimplestackError):  # then it continues
            self._cancelled(task)
        self.dismiss(task)

    @contextlib.contextmanager
    def dismissed_on_failure(self, task: str) -> Iterator[None]:
        """Start the operation of a task. If that fails, destroy the task.

        :raises XenAPI.Failure: the error of the task or of the response
        """
        try:
            yield
        except (XenAPI.Failure, SimplestackError) as error:
            failure = self.dismiss(task)
            raise failure or error from None
        except BaseException:
            self.dismiss(task)
            raise

    def dismiss(self, task: str) -> "XenAPI.Failure | None":
        """Destroy a task that is not needed any more. Return its error, if it has one.

        XAPI destroys only tasks that have ended, and a task without an operation would never end.
        """
        failure = None
        try:
            record = self._api.read(TaskRecord, "task.get_record", task)
            if record.is_pending:
                self._api.xenapi.task.set_status(task, "cancelled")
            elif record.error_info:
                failure = XenAPI.Failure(record.error_info)
        except XenAPI.Failure as error:
            if error.details[0] in _GONE:
                return None
            _log.warning("a task cannot be ended: %s", error.details[0])
        except SimplestackError as error:
            _log.warning("a task cannot be ended: %s", error.name)
        self._destroy(task)
        return failure

    def _run(self, message: str, *parameters: Any, limit_seconds: float | None = None) -> str:
        task = str(self._api.send(f"Async.{message}", *parameters))
        return self.outcome(task, message, limit_seconds)

    def _destroy(self, task: str) -> None:
        try:
            self._api.xenapi.task.destroy(task)
        except XenAPI.Failure as failure:
            if failure.details[0] not in _GONE:
                _log.warning("a task stays until XAPI removes it: %s", failure.details[0])
        except SimplestackError as error:
            _log.warning("a task stays until XAPI removes it: %s", error.name)

    def _cancelled(self, task: str) -> TaskRecord | None:
        """Cancel a task, and return its record; None if it no longer exists."""
        try:
            self._api.xenapi.task.cancel(task)
        except XenAPI.Failure as failure:
            if failure.details[0] in _GONE:
                return None
            # It has just ended, or cannot be cancelled.
        return self._wait(task, CANCEL_SECONDS)

    def _wait(self, task: str, limit_seconds: float) -> TaskRecord | None:
        """Return a task's record when it has ended, or at the time limit; None if it no longer exists."""
        deadline = time.monotonic() + limit_seconds
        token, record = "", None
        while True:
            left = max(0.0, deadline - time.monotonic())
            # XAPI returns existing tasks at once, and would wait for missing ones.
            patience = min(left, _LONGEST_WAIT_SECONDS) if token else 0.0
            batch = self._api.read(
                Batch,
                "event.from",
                [f"task/{task}"],
                token,
                patience,
                limit_seconds=patience + self._api.limit_seconds,
            )
            token = batch.token
            for event in batch.events:
                if event.ref == task:
                    record = event.snapshot if isinstance(event.snapshot, TaskRecord) else None
            if record is None or not record.is_pending or not left:
                return record


def reference_in(result: str) -> str:
    """Return the reference in the result of a task: ``<value>OpaqueRef:...</value>``.

    :raises HypervisorError: there is none
    """
    return references_in(result)[0]


def references_in(result: str) -> list[str]:
    """Return the references in a task's result, of which an import has a list.

    :raises HypervisorError: there is none
    """
    refs = re.findall(r"OpaqueRef:[0-9A-Za-z-]+", result)
    if not refs:
        raise HypervisorError(f"XAPI ended a task with {result[:100]!r} instead of a reference")
    return refs
