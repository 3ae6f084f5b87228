"""From a call to its answer: which message, is it well-formed, may this session send it, what does it do."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from simulators.xapi.contents import CHUNK_BYTES
from simulators.xapi.copying import Copying
from simulators.xapi.database import Database, Object
from simulators.xapi.datamodel import Message, classes
from simulators.xapi.devices import Devices
from simulators.xapi.drives import Drives
from simulators.xapi.events import Events
from simulators.xapi.failures import Failure
from simulators.xapi.faults import Cancelled, Drop, Faults
from simulators.xapi.machines import Machines
from simulators.xapi.messages import Handler, field_handlers
from simulators.xapi.networking import Networking
from simulators.xapi.networks import Networks
from simulators.xapi.operations import Operations
from simulators.xapi.plugs import Plugs
from simulators.xapi.power import Power
from simulators.xapi.seeding import seed
from simulators.xapi.sessions import Account, Sessions
from simulators.xapi.settings import VmSettings
from simulators.xapi.snapshots import Snapshots
from simulators.xapi.storage import Storage
from simulators.xapi.suspension import SuspendImages
from simulators.xapi.templates import Templates
from simulators.xapi.transfer import Transfer
from simulators.xapi.wire import Call, content_xml

_LOGIN = "session.login_with_password"
_ASYNC = "Async."
_ACCOUNTS = {"root": Account("secret"), "reader": Account("secret", "read-only")}


class Outcome:
    """What a task is to tell when it has succeeded."""

    result = ""


class Simulator:
    """A pool: one master, and its objects. Several threads may call it at once."""

    def __init__(
        self,
        *,
        vms: int = 3,
        latency_seconds: float = 0,
        content_bytes: int = CHUNK_BYTES,
        accounts: Mapping[str, Account] | None = None,
        session_idle: timedelta = timedelta(hours=24),
        operation_seconds: float = 0,
        bonds: int = 0,
        hosts: int = 1,
        tools: bool = True,
        refuses_busy: bool = False,
        resizes_online: bool = False,
    ) -> None:
        """Make a pool.

        :param vms: how many guests there are
        :param latency_seconds: how long each call takes at least
        :param content_bytes: how much is on each disk, and in an export of it
        :param accounts: who may log in; by default ``root`` and the read-only ``reader``, with ``secret``
        :param session_idle: how long a session may be idle
        :param operation_seconds: how long each operation on a VM takes, in which others wait for it
        :param bonds: how many networks there are besides, each over two interfaces that are one
        :param hosts: how many hosts there are; several have a storage each, and share another one
        :param tools: whether there are tools in guests, which come up as soon as those are started
        :param refuses_busy: whether an operation on a busy VM is refused at once, in place of waiting
        :param resizes_online: whether storages let disks grow that are in use
        """
        #: All calls as they came, where somebody has put a list here.
        self.journal: list[Call] | None = None
        self.database = Database()
        self.faults = Faults()
        self.counts: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._latency_seconds = latency_seconds
        self.master = seed(self.database, vms, bonds, hosts)
        self._sessions = Sessions(self.database, _ACCOUNTS if accounts is None else accounts, session_idle)
        self._handlers: dict[str, Handler] = field_handlers(self.database)
        database = self.database
        storage = Storage(database, content_bytes, resizes_online=resizes_online)
        devices = Devices(storage, Drives(database), Networking(database))
        images = SuspendImages(database, storage)
        power = Power(database, images, tools=tools)
        machines = Machines(database, devices)
        copying = Copying(database, machines, devices)
        for part in (
            *(devices.storage, devices.drives, devices.networking, power, machines, copying),
            Networks(database, devices.networking, self.faults),
            Snapshots(database, copying, power, images, devices),
            Templates(database, devices),
            *(VmSettings(database), Events(database), Plugs(database)),
        ):
            self._handlers |= part.handlers()
        self.transfer = Transfer(database, devices, machines)
        self._operations = Operations(database, self.faults, operation_seconds, refuses_busy=refuses_busy)
        self._handlers["task.create"] = self._create_task
        self._handlers["task.cancel"] = self._cancel
        self._handlers["task.destroy"] = lambda ref: self.database.remove(self.database.get("task", ref))

    def answer(self, call: Call, *, master_address: str | None = None) -> bytes:
        """Answer a call.

        :param master_address: of the pool's master, where it is a slave that was asked
        :raises Drop: the connection is to be closed instead
        """
        with self._counting:
            self.counts[call.method] += 1
            if self.journal is not None:
                self.journal.append(call)
        if self._latency_seconds:
            time.sleep(self._latency_seconds)  # what it is there for
        rule = self.faults.take(call.method)  # of a task: by its name with "Async."
        try:
            self.faults.before(rule)
            message, value = self._perform(call, master_address)
            written = call.wire.success(message.returns, value)
        except Failure as failure:
            written = call.wire.failure(failure)
        if rule is not None and rule.effect == "drop after":
            raise Drop
        return written

    def check_session(self, ref: str, message: str) -> None:
        """Pass a session that may do something over HTTP.

        :raises Failure: it may not
        """
        self._sessions.check(ref, message)

    def end_session(self, session: Object) -> None:
        """End a session behind its client's back."""
        self._sessions.end(session)

    @contextlib.contextmanager
    def task(self, ref: str | None, label: str) -> Iterator[Outcome]:
        """Let a task tell what becomes of the block: the client's own, or one that is made for it."""
        task = self._task(label) if ref is None else self.database.get("task", ref)
        outcome = Outcome()
        try:
            yield outcome
        except Failure as failure:
            self._end(task, {"status": "failure", "error_info": failure.description})
            raise
        except OSError:
            self._end(task, {"status": "failure", "error_info": ["CLIENT_ERROR"]})
            raise
        self._end(task, {"status": "success", "result": outcome.result})

    def _perform(self, call: Call, master_address: str | None) -> tuple[Message, Any]:
        is_async = call.method.startswith(_ASYNC)
        message = _message(call.method.removeprefix(_ASYNC), call.method)
        if is_async and not message.has_task:
            raise Failure("MESSAGE_METHOD_UNKNOWN", call.method)
        least = sum(parameter.required for parameter in message.parameters)
        if not least <= len(call.parameters) <= len(message.parameters):
            expected, received = str(len(message.parameters)), str(len(call.parameters))
            raise Failure("MESSAGE_PARAMETER_COUNT_MISMATCH", call.method, expected, received)
        values = [
            call.wire.read(parameter, value)
            for parameter, value in zip(message.parameters, call.parameters, strict=False)
        ]
        values += [parameter.type.zero() for parameter in message.parameters[len(values) :]]
        if message.name == _LOGIN:
            return message, self._log_in(values, master_address)
        if not message.needs_session:
            raise Failure("NOT_IMPLEMENTED", call.method)
        session = self._sessions.check(values[0], message.name)
        if message.name == "session.logout":
            self._sessions.end(session)
            return message, ""
        if is_async:
            return _message("task.create", "task.create"), self._begin(call.method, message, values[1:])
        return message, self._run(message, values[1:])

    def _log_in(self, values: list[Any], master_address: str | None) -> str:
        if master_address is not None:
            raise Failure("HOST_IS_SLAVE", master_address)
        name, password, _, originator = values
        return self._sessions.log_in(name, password, originator, self.master.ref)

    def _run(self, message: Message, values: list[Any], task: Object | None = None) -> Any:
        handler = self._handlers.get(message.name)
        if handler is None:
            raise Failure("NOT_IMPLEMENTED", message.name)
        with self._operations.under_way(message.name, values, task):
            return handler(*values)

    def _create_task(self, label: str, description: str) -> str:
        return self._task(label, description).ref

    def _task(self, label: str, description: str = "") -> Object:
        return self.database.add(
            "task",
            {
                "name_label": label,
                "name_description": description,
                "created": datetime.now(UTC),
                "status": "pending",
                "resident_on": self.master.ref,
            },
        )

    def _cancel(self, ref: str) -> None:
        """Cancel what has not begun to take effect: what waits, takes its time, or is held up by a fault."""
        task = self.database.get("task", ref)
        if task["status"] != "pending" or not self._operations.cancel(ref):
            raise Failure("OPERATION_NOT_ALLOWED", "the task cannot be cancelled")

    def _begin(self, label: str, message: Message, values: list[Any]) -> str:
        """Run a message in a task of its own, and return the task."""
        task = self._task(label)
        threading.Thread(target=self._finish, args=(task, message, values), daemon=True).start()
        return task.ref

    def _finish(self, task: Object, message: Message, values: list[Any]) -> None:
        try:
            self.faults.before(self.faults.take(message.name))
            value = self._run(message, values, task)
        except Cancelled:
            outcome = {"status": "cancelled", "error_info": ["TASK_CANCELLED", task.ref]}
        except Failure as failure:
            outcome = {"status": "failure", "error_info": failure.description}
        else:
            is_void = message.returns.name == "void"
            result = "" if is_void else f"<value>{content_xml(message.returns, value)}</value>"
            outcome = {"status": "success", "result": result}
        self._end(task, outcome)

    def _end(self, task: Object, outcome: Mapping[str, Any]) -> None:
        with self.database.lock:
            for field, found in {**outcome, "progress": 1.0, "finished": datetime.now(UTC)}.items():
                task[field] = found


def _message(name: str, asked: str) -> Message:
    message = _names().get(name)
    if message is None:
        raise Failure("MESSAGE_METHOD_UNKNOWN", asked)
    return message


@cache
def _names() -> Mapping[str, Message]:
    """Return all messages, each by two names: ``event.from`` is no Python, so there is ``event_from``."""
    messages = [found for class_ in classes().values() for found in class_.messages.values()]
    return {found.name.replace(".", "_"): found for found in messages} | {
        found.name: found for found in messages
    }
