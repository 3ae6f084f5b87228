"""``PUT /import_raw_vdi``, as XAPI's import_raw_vdi.ml answers it: bytes that go onto a disk as they are.

The status is sent before anything is read, and the task has the result: the reference of the disk.
"""

import contextlib

from simulators.xapi import pages
from simulators.xapi.database import Object
from simulators.xapi.failures import Failure
from simulators.xapi.faults import Rule
from simulators.xapi.image_requests import OCTETS, ImageRequest

_RAW = "raw"
_FAULT = "import_raw_vdi"


class _Unreadable(Exception):
    """What XAPI does not begin to read: its head, and what the task says."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(status, reason)
        self.status = status
        self.failure = Failure("INTERNAL_ERROR", reason)


class RawImageRequest(ImageRequest):
    """A request with what is to be on a disk."""

    def import_raw(self, redirect: str | None, length: int | None, *, is_chunked: bool) -> None:
        """Write what a client sends onto a disk that there is.

        :param redirect: where another host does it
        :param length: how much the client is to send
        :raises Drop: the connection is to be closed as it is
        """
        simulator = self._simulator
        with self._answering():
            simulator.end_sessions_if_ordered(_FAULT)
            self._check("VDI.import", "http/put_import_raw_vdi")
            try:
                disk = self._disk()
                if redirect is not None:
                    self._redirect(redirect)
                    return
                simulator.transfer.check_storage(disk["SR"])
            except Failure as failure:
                self._fail_given_task(failure)
                self._target.write(pages.head("400 Bad Request"))
                raise
            rule = simulator.faults.take(_FAULT)
            if rule is not None and rule.code is None:
                simulator.faults.before(rule)
            with self._task("VDI.import") as task:
                try:
                    self._check_readable(length, is_chunked=is_chunked)
                except _Unreadable as unreadable:
                    simulator.tasks.fail(task, unreadable.failure)
                    self._target.write(pages.head(unreadable.status))
                    return
                with simulator.tasks.carried_out(task) as outcome:
                    with contextlib.suppress(OSError):  # a client that has left is missed when it is read
                        self._target.write(pages.head("200 OK", f"task-id:{task.ref}", OCTETS))
                    self._write(disk, length or 0, task, rule)
                    outcome.result = f"<value>{disk.ref}</value>"

    def _disk(self) -> Object:
        """Return the disk: XAPI takes a reference or a UUID.

        :raises Failure: VDI_MISSING, or that there is none
        """
        named = self._query.get("vdi")
        if named is None:  # XAPI would make one in `sr_id`
            raise Failure("VDI_MISSING")
        found = self._simulator.database.find("VDI", named)
        return found or self._simulator.database.by_uuid("VDI", named)

    def _fail_given_task(self, failure: Failure) -> None:
        if "task_id" in self._query:
            with self._task("VDI.import") as task:
                self._simulator.tasks.fail(task, failure)

    def _check_readable(self, length: int | None, *, is_chunked: bool) -> None:
        format_ = self._query.get("format", _RAW)
        if format_ != _RAW:
            raise _Unreadable("404 Not Found", f"Unknown format {format_}")
        if is_chunked:
            raise _Unreadable("404 Not Found", "Cannot handle encoding: chunked")
        if length is None:
            raise _Unreadable("400 Bad Request", "Not enough info supplied to import")

    def _write(self, disk: Object, length: int, task: Object, rule: Rule | None) -> None:
        """Read all, then let it be on the disk: what breaks off leaves what was there."""
        simulator = self._simulator
        simulator.storage.refuse_in_use(disk, "import")
        if length > disk["virtual_size"]:
            raise Failure("INTERNAL_ERROR", "the data is larger than the disk")
        half = length // 2
        data = self._read(half)
        simulator.faults.hold(_FAULT, task.ref)
        simulator.tasks.stop_if_cancelled(task)
        if rule is not None and rule.code is not None:
            raise Failure(rule.code, *rule.parameters)
        data += self._read(length - half)
        with simulator.database.lock:
            simulator.storage.write(simulator.database.get("VDI", disk.ref), data)

    def _read(self, length: int) -> bytes:
        try:
            data = self._source.read(length)
        except OSError:
            data = b""
        if len(data) < length:
            raise Failure("INTERNAL_ERROR", "Caught exception: Unix.Unix_error(ECONNRESET)")
        return data
