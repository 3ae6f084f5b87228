"""Operations on VMs: which messages are some, and who has to wait for whom.

XAPI tries an operation on a busy VM again and again, for up to two hours, and only then tells its client that
the VM is busy. Here it waits for as long as that takes.
"""

import contextlib
import threading
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from simulators.xapi.database import Database, Object
from simulators.xapi.failures import Failure
from simulators.xapi.faults import Faults
from simulators.xapi.lifecycle import BUSY, refused, update_allowed_operations

_SAME = (
    *("snapshot", "copy", "clone", "revert", "checkpoint", "snapshot_with_quiesce", "start", "start_on"),
    *("pause", "unpause", "clean_shutdown", "clean_reboot", "hard_shutdown", "hard_reboot", "shutdown"),
    *("suspend", "resume", "resume_on", "destroy", "provision"),
)
#: The messages that are operations of the VM that is their first parameter.
_OPERATIONS: Mapping[str, str] = {f"VM.{name}": name for name in _SAME} | {
    "VM.set_is_a_template": "make_into_template",
    "VM.set_memory": "changing_memory_limits",
    "VM.set_memory_limits": "changing_memory_limits",
    "VM.set_memory_static_min": "changing_static_range",
    "VM.set_memory_static_max": "changing_static_range",
    "VM.set_memory_static_range": "changing_static_range",
    "VM.set_memory_dynamic_min": "changing_dynamic_range",
    "VM.set_memory_dynamic_max": "changing_dynamic_range",
    "VM.set_memory_dynamic_range": "changing_dynamic_range",
    "VM.set_memory_target_live": "changing_memory_live",
    "VM.wait_memory_target_live": "awaiting_memory_live",
    "VM.set_HVM_shadow_multiplier": "changing_shadow_memory",
    "VM.set_VCPUs_max": "changing_VCPUs",
    "VM.set_VCPUs_number_live": "changing_VCPUs_live",
}
_INTERRUPTIBLE = frozenset({"clean_shutdown", "clean_reboot", "suspend"})
#: What ends others that are under way, and which.
_ENDS: Mapping[str, frozenset[str]] = {
    "hard_shutdown": _INTERRUPTIBLE | {"hard_reboot"},
    "hard_reboot": _INTERRUPTIBLE,
}


class _Turn:
    """An operation that waits, or is under way."""

    def __init__(self, task: Object | None) -> None:
        #: XAPI makes a task for each call, also for those whose client does not ask for one.
        self.key = f"OpaqueRef:{uuid.uuid4()}" if task is None else task.ref
        self.cancelled = threading.Event()
        #: Until it takes effect.
        self.can_be_cancelled = True

    def check(self) -> None:
        """Pass what nobody has cancelled.

        :raises Failure: TASK_CANCELLED
        """
        if self.cancelled.is_set():
            raise Failure("TASK_CANCELLED", self.key)


class Operations:
    """What is under way."""

    def __init__(self, database: Database, faults: Faults, seconds: float, *, refuses_busy: bool) -> None:
        """Begin with nothing.

        :param seconds: how long an operation takes at least
        :param refuses_busy: refuse at once what would have to wait
        """
        self._database = database
        self._faults = faults
        self._seconds = seconds
        self._refuses_busy = refuses_busy
        self._turns: dict[str, _Turn] = {}

    @contextlib.contextmanager
    def under_way(self, message: str, values: list[Any], task: Object | None) -> Iterator[None]:
        """Let a message be under way in the block, once those in its way have ended.

        :param task: that tells of it, where its client has asked for one
        :raises Failure: its VM does not allow it
        """
        with self._begun(message, values, task) as turn:
            if task is not None:
                self._faults.hold(message, task.ref)
            with self._database.lock:
                if turn is not None:
                    turn.check()
                    turn.can_be_cancelled = False
            yield

    def cancel(self, ref: str) -> None:
        """Cancel what waits, or is under way without an effect yet."""
        with self._database.lock:
            turn = self._turns.get(ref)
            if turn is not None and turn.can_be_cancelled:
                turn.cancelled.set()
                self._database.changes.notify_all()
        self._faults.release(ref)

    @contextlib.contextmanager
    def _begun(self, message: str, values: list[Any], task: Object | None) -> Iterator[_Turn | None]:
        wanted = self._wanted(message, values)
        if not wanted:
            yield None
            return
        turn = _Turn(task)
        self._turns[turn.key] = turn
        try:
            for ref, operation in wanted:
                self._begin(turn, ref, operation)
            turn.cancelled.wait(self._seconds)
            turn.check()
            yield turn
        finally:
            with self._database.lock:
                del self._turns[turn.key]
                for ref, _ in wanted:
                    self._end(turn, ref)

    def _wanted(self, message: str, values: list[Any]) -> list[tuple[str, str]]:
        """Return the VMs that a message takes, and the operation of each."""
        operation = _OPERATIONS.get(message)
        if operation is None or (message == "VM.set_is_a_template" and not values[1]):
            return []
        ref: str = values[0]
        wanted = [(ref, operation)]
        if operation == "revert":
            original = self._database.find("VM", self._database.get("VM", ref)["snapshot_of"])
            wanted += [] if original is None else [(original.ref, "reverting")]
        return wanted

    def _begin(self, turn: _Turn, ref: str, operation: str) -> None:
        with self._database.lock:
            while True:
                vm = self._database.get("VM", ref)
                refusal = refused(self._database, vm, operation)
                if refusal is not None and (refusal.code != BUSY or self._refuses_busy):
                    raise refusal
                turn.check()
                if refusal is None and not self._end_others(vm, operation):
                    break
                self._database.changes.wait()
            vm["current_operations"] = {**vm["current_operations"], turn.key: operation}
            update_allowed_operations(self._database, vm)

    def _end_others(self, vm: Object, operation: str) -> bool:
        """Cancel what an operation puts an end to; tell whether there is still some under way."""
        ended = _ENDS.get(operation, frozenset())
        others = [key for key, other in vm["current_operations"].items() if other in ended]
        for key in others:
            self.cancel(key)
        return bool(others)

    def _end(self, turn: _Turn, ref: str) -> None:
        vm = self._database.find("VM", ref)
        if vm is not None and turn.key in vm["current_operations"]:
            others = {key: name for key, name in vm["current_operations"].items() if key != turn.key}
            vm["current_operations"] = others
            update_allowed_operations(self._database, vm)
