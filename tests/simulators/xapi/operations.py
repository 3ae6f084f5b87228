"""Operations on VMs: which messages are some, and which of them keep others out."""

import contextlib
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from simulators.xapi.database import Database, Object
from simulators.xapi.faults import Faults
from simulators.xapi.lifecycle import check, update_allowed_operations

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


class Operations:
    """What is under way."""

    def __init__(self, database: Database, faults: Faults, seconds: float) -> None:
        """Begin with nothing.

        :param seconds: how long an operation takes at least
        """
        self._database = database
        self._faults = faults
        self._seconds = seconds

    @contextlib.contextmanager
    def under_way(self, message: str, values: list[Any], task: Object | None) -> Iterator[None]:
        """Let a message be under way in the block.

        :param task: that tells of it, where its client has asked for one
        :raises Failure: its VM does not allow it
        """
        # XAPI makes a task for each call, also for those whose client does not ask for one.
        key = f"OpaqueRef:{uuid.uuid4()}" if task is None else task.ref
        wanted = self._wanted(message, values)
        try:
            for ref, operation in wanted:
                self._begin(key, ref, operation)
            if wanted and self._seconds:
                time.sleep(self._seconds)  # what it is there for
            if task is not None:
                self._faults.hold(message, task.ref)
            yield
        finally:
            with self._database.lock:
                for ref, _ in wanted:
                    self._end(key, ref)

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

    def _begin(self, key: str, ref: str, operation: str) -> None:
        with self._database.lock:
            vm = self._database.get("VM", ref)
            check(self._database, vm, operation)
            vm["current_operations"] = {**vm["current_operations"], key: operation}
            update_allowed_operations(self._database, vm)

    def _end(self, key: str, ref: str) -> None:
        vm = self._database.find("VM", ref)
        if vm is not None and key in vm["current_operations"]:
            others = {other: name for other, name in vm["current_operations"].items() if other != key}
            vm["current_operations"] = others
            update_allowed_operations(self._database, vm)
