"""Tasks: what is under way, who may touch it, and what became of it."""

import contextlib
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from simulators.xapi.database import Database, Object
from simulators.xapi.failures import Failure
from simulators.xapi.faults import Drop
from simulators.xapi.messages import SessionHandler
from simulators.xapi.sessions import denied

_ENDED = ("success", "failure", "cancelled")
_CANCELLED = "TASK_CANCELLED"
#: What XAPI writes where a message returns nothing: `Xmlrpc.to_string` of an empty string.
VOID = "<value></value>"


class Outcome:
    """What a task is to tell when it has succeeded."""

    result = ""


class Tasks:
    """The tasks of a pool."""

    def __init__(self, database: Database, cancel: Callable[[str], None], host: Object) -> None:
        """Begin with none.

        :param cancel: ends what a task has under way, if it can be ended yet
        """
        self._database = database
        self._cancel_operation = cancel
        self._host = host
        #: Who has begun them.
        self._owners: dict[str, str] = {}

    def session_handlers(self) -> dict[str, SessionHandler]:
        """Return what the messages do, of which each needs to know its sender."""
        setters = {f"task.set_{name}": self._setter(name) for name in ("progress", "result", "error_info")}
        return setters | {
            "task.create": lambda session, label, description: self.begin(label, description, session).ref,
            "task.cancel": self._cancel,
            "task.destroy": self._destroy,
            "task.set_status": self._set_status,
        }

    def begin(self, label: str, description: str = "", session: Object | None = None) -> Object:
        """Begin a task.

        :param session: whose user may end it
        """
        task = self._database.add(
            "task",
            {
                "name_label": label,
                "name_description": description,
                "created": datetime.now(UTC),
                "status": "pending",
                "type": "<none/>",
                "resident_on": self._host.ref,
            },
        )
        if session is not None:
            self._owners[task.ref] = session["auth_user_name"]
        return task

    def end(self, task: Object, **outcome: Any) -> None:
        """Say what became of a task. One that has ended already keeps what it says."""
        with self._database.lock:
            if task["status"] != "pending":
                return
            for field, value in {"progress": 1.0, "finished": datetime.now(UTC), **outcome}.items():
                task[field] = value
            self._bury(task)

    def fail(self, task: Object, failure: Failure) -> None:
        """End a task that has failed. One that was cancelled has no reason to give."""
        if failure.code == _CANCELLED:
            self.end(task, status="cancelled")
        else:
            self.end(task, status="failure", error_info=failure.description)

    def stop_if_cancelled(self, task: Object) -> None:
        """Check that a task is not being cancelled.

        :raises Failure: TASK_CANCELLED
        """
        if "cancel" in task["current_operations"].values():
            raise Failure(_CANCELLED, task.ref)

    @contextlib.contextmanager
    def carried_out(self, task: Object) -> Iterator[Outcome]:
        """Let a task tell what becomes of the block."""
        outcome = Outcome()
        try:
            yield outcome
        except Failure as failure:
            self.fail(task, failure)
            raise
        except Drop:
            raise
        except Exception as error:
            self.fail(task, Failure("INTERNAL_ERROR", repr(error)))
            raise
        self.end(task, status="success", result=outcome.result)

    def remove(self, task: Object) -> None:
        """Let a task be no more."""
        if self._database.find("task", task.ref) is not None:
            self._owners.pop(task.ref, None)
            self._database.remove(task)

    def _bury(self, task: Object) -> None:
        """Let a task be no more that somebody wanted to destroy before it ended."""
        if "destroy" in task["current_operations"].values() and task["status"] in _ENDED:
            self.remove(task)

    def _own(self, session: Object, ref: str) -> Object:
        """Return a task that a session may touch: its user's own, or to an administrator any.

        :raises Failure: RBAC_PERMISSION_DENIED
        """
        task = self._database.get("task", ref)
        if session["is_local_superuser"] or self._owners.get(ref) == session["auth_user_name"]:
            return task
        raise denied("task.destroy/any")

    def _destroy(self, session: Object, ref: str) -> None:
        with self._database.lock:
            task = self._own(session, ref)
            if task["status"] in _ENDED:
                self.remove(task)
            else:
                task["current_operations"] = {**task["current_operations"], "task": "destroy"}

    def _cancel(self, session: Object, ref: str) -> None:
        """Note the wish, whatever the task is doing: it ends by itself where it looks for it."""
        with self._database.lock:
            task = self._own(session, ref)
            task["current_operations"] = {f"DummyRef:|{uuid.uuid4()}|task.cancel": "cancel"}
        self._cancel_operation(ref)

    def _set_status(self, session: Object, ref: str, status: str) -> None:
        with self._database.lock:
            task = self._own(session, ref)
            task["status"] = status
            self._bury(task)

    def _setter(self, field: str) -> SessionHandler:
        def setter(session: Object, ref: str, value: Any) -> None:
            with self._database.lock:
                self._own(session, ref)[field] = value

        return setter


def result_of_references(refs: list[str]) -> str:
    """Write the result of a task that has made some objects."""
    return f"<value><array><data>{''.join(f'<value>{ref}</value>' for ref in refs)}</data></array></value>"
