"""``PUT /import`` and ``GET /export``, as XAPI's import.ml and export.ml answer them.

What became of a transfer is in its task. The status says little: an import is answered before it is read, and
what goes wrong later is a page after the head, in the middle of the body.
"""

import contextlib
from collections.abc import Iterator, Mapping

from simulators.xapi import pages
from simulators.xapi.archive import Readable, Writable
from simulators.xapi.database import Object
from simulators.xapi.failures import Failure
from simulators.xapi.faults import Drop, Rule
from simulators.xapi.simulator import Simulator
from simulators.xapi.tasks import result_of_references

OCTETS = "content-type: application/octet-stream"


class _Refused(Exception):
    """The page that a client gets who is not logged in, or may not."""

    def __init__(self, page: bytes) -> None:
        super().__init__(page)
        self.page = page


class ImageRequest:
    """A request of an image, or with one."""

    def __init__(
        self, simulator: Simulator, query: Mapping[str, str], source: Readable, target: Writable
    ) -> None:
        """Look at nothing yet.

        :param source: what the client sends
        :param target: what it gets
        """
        self._simulator = simulator
        self._query = query
        self._source = source
        self._target = target

    def export(self, redirect: str | None) -> None:
        """Send a VM's image.

        :param redirect: where another host does it
        :raises Drop: the connection is to be closed as it is
        """
        simulator, transfer = self._simulator, self._simulator.transfer
        with self._answering():
            simulator.end_sessions_if_ordered("export")
            self._check("VM.export", "http/get_export")
            ref = self._vm()
            if redirect is not None:
                self._redirect(redirect)
                return
            rule = simulator.faults.take("export")
            try:
                vm = self._reachable(ref, rule)
            except Failure as failure:  # XAPI says so in the task, and nowhere else
                with self._task("export") as task:
                    simulator.tasks.fail(task, failure)
                return
            with self._task("VM.export") as task, simulator.tasks.carried_out(task):
                transfer.check_export(vm)
                if rule is not None and rule.effect != "drop after":
                    simulator.faults.before(rule)
                self._export(vm, task, rule)

    def import_(self, redirect: str | None, *, is_chunked: bool) -> None:
        """Make a VM of the image that a client sends.

        :param redirect: where another host does it
        :raises Drop: the connection is to be closed as it is
        """
        simulator, transfer = self._simulator, self._simulator.transfer
        with self._answering():
            simulator.end_sessions_if_ordered("import")
            self._check("VM.import", "http/put_import")
            ref = self._storage()
            if redirect is not None:
                self._redirect(redirect)
                return
            storage = transfer.check_storage(ref)
            rule = simulator.faults.take("import")
            if rule is not None and rule.code is None:
                simulator.faults.before(rule)
            with self._task("VM.import") as task, simulator.tasks.carried_out(task) as outcome:
                if storage["content_type"] == "iso":
                    self._target.write(pages.head("400 Bad Request"))
                    raise Failure("SR_OPERATION_NOT_SUPPORTED")
                if is_chunked:
                    self._target.write(pages.head("403 Forbidden"))
                    raise Failure("IMPORT_ERROR_CANNOT_HANDLE_CHUNKED")
                with contextlib.suppress(OSError):  # a client that has left is missed when it is read from
                    self._target.write(pages.head("200 OK", f"task-id:{task.ref}", OCTETS))
                made = self._import(storage, task, rule)
                outcome.result = result_of_references([made])

    def _export(self, vm: Object, task: Object, rule: Rule | None) -> None:
        simulator = self._simulator
        keeps_state = self._query.get("preserve_power_state") == "true"
        try:
            self._target.write(
                pages.head(
                    "200 OK",
                    f"task-id: {task.ref}",
                    OCTETS,
                    'Content-Disposition: attachment; filename="export.xva"',
                    version="1.0",
                )
            )
            for is_middle in simulator.transfer.export(vm, self._target, keep_power_state=keeps_state):
                simulator.tasks.stop_if_cancelled(task)
                if is_middle:
                    self._break(task, rule)
                    simulator.faults.hold("export", task.ref)
        except OSError as error:
            simulator.tasks.stop_if_cancelled(task)
            raise Failure("CLIENT_ERROR", str(error)) from error

    def _reachable(self, ref: str, rule: Rule | None) -> Object:
        """Return a VM whose disks a host sees.

        :raises Failure: there is none, or is to be none
        """
        if rule is not None and rule.effect == "drop before":
            raise Failure(rule.code or "NO_HOSTS_AVAILABLE", *rule.parameters)
        return self._simulator.transfer.check_storages(ref)

    def _break(self, task: Object, rule: Rule | None) -> None:
        """Break in the middle of an export, where that is ordered."""
        if rule is None:
            return
        if rule.code is not None:
            raise Failure(rule.code, *rule.parameters)
        self._simulator.tasks.fail(task, Failure("CLIENT_ERROR", "the connection was ordered to break"))
        raise Drop

    def _import(self, storage: Object, task: Object, rule: Rule | None) -> str:
        simulator = self._simulator

        def look(is_middle: bool) -> None:
            if "object_creation" not in task["other_config"]:
                task["other_config"] = {**task["other_config"], "object_creation": "complete"}
            if is_middle:
                simulator.faults.hold("import", task.ref)
            simulator.tasks.stop_if_cancelled(task)
            if is_middle and rule is not None and rule.code is not None:
                raise Failure(rule.code, *rule.parameters)

        return simulator.transfer.import_(self._source, storage.ref, look)

    @contextlib.contextmanager
    def _answering(self) -> Iterator[None]:
        """Send the page of what goes wrong in the block, after whatever has been sent."""
        try:
            yield
        except _Refused as refused:
            self._target.write(refused.page)
        except Failure as failure:
            text = f"{failure.code}: [ {'; '.join(failure.parameters)} ]"
            self._target.write(pages.internal_error(text))

    @contextlib.contextmanager
    def _task(self, label: str) -> Iterator[Object]:
        """Give the client's own task, or one that is there as long as the block is."""
        ref = self._query.get("task_id")
        tasks = self._simulator.tasks
        task = tasks.begin(label) if ref is None else self._simulator.database.get("task", ref)
        try:
            yield task
        finally:
            if ref is None:
                tasks.remove(task)

    def _check(self, realm: str, permission: str) -> None:
        """Check that the client is logged in and has the permission."""
        try:
            session = self._simulator.sessions.check(self._query.get("session_id", ""))
        except Failure:
            raise _Refused(pages.unauthorised(realm)) from None
        try:
            self._simulator.sessions.permit(session, permission)
        except Failure as failure:
            if "task_id" in self._query:
                with self._task(realm) as task:
                    self._simulator.tasks.fail(task, failure)
            raise _Refused(pages.forbidden()) from None

    def _vm(self) -> str:
        if "ref" in self._query:
            return self._query["ref"]
        return self._simulator.database.by_uuid("VM", self._query.get("uuid", "")).ref

    def _storage(self) -> str:
        if "sr_id" in self._query:
            return self._query["sr_id"]
        if "sr_uuid" in self._query:
            return self._simulator.database.by_uuid("SR", self._query["sr_uuid"]).ref
        return self._simulator.transfer.default_storage().ref

    def _redirect(self, where: str) -> None:
        self._target.write(pages.head("302 Found", f"Location: {where}"))
