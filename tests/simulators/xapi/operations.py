"""Operations on VMs: one at a time, which takes its time and keeps others out."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from simulators.xapi.database import Database, Object
from simulators.xapi.failures import Failure

#: Messages that XAPI counts as operations of the VM that is their first parameter.
_EXCLUSIVE = frozenset(
    f"VM.{name}"
    for name in (
        "start",
        "clean_shutdown",
        "hard_shutdown",
        "clean_reboot",
        "hard_reboot",
        "suspend",
        "resume",
        "pause",
        "unpause",
        "snapshot",
        "checkpoint",
        "revert",
        "provision",
        "destroy",
    )
)


class Operations:
    """What is under way."""

    def __init__(self, database: Database, seconds: float) -> None:
        """Begin with nothing.

        :param seconds: how long an operation takes at least
        """
        self._database = database
        self._seconds = seconds
        self._busy: dict[str, str] = {}

    @contextlib.contextmanager
    def under_way(self, message: str, values: list[Any]) -> Iterator[None]:
        """Let an operation be under way in the block.

        :raises Failure: OTHER_OPERATION_IN_PROGRESS
        """
        vm = self._database.find("VM", values[0]) if message in _EXCLUSIVE and values else None
        if vm is None or not self._seconds:
            yield
            return
        mine = self._begin(vm, message)
        try:
            time.sleep(self._seconds)  # what it is there for
            yield
        finally:
            with self._database.lock:
                for ref in mine:
                    del self._busy[ref]

    def _begin(self, vm: Object, message: str) -> set[str]:
        """Take a VM, and the one that it is a snapshot of."""
        with self._database.lock:
            taken = {vm.ref, vm["snapshot_of"]} if message == "VM.revert" else {vm.ref}
            for ref in taken & self._busy.keys():
                raise Failure("OTHER_OPERATION_IN_PROGRESS", "VM", ref, self._busy[ref])
            self._busy |= dict.fromkeys(taken, message)
            return taken
