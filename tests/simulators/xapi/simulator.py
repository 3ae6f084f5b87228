"""From a call to its answer: which message, is it well-formed, may this session send it, what does it do."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cache, partial
from typing import Any

from simulators.xapi.contents import CHUNK_BYTES
from simulators.xapi.copying import Copying
from simulators.xapi.database import Database, Object
from simulators.xapi.datamodel import Message, classes
from simulators.xapi.devices import Devices
from simulators.xapi.drives import Drives
from simulators.xapi.events import Events
from simulators.xapi.failures import Failure
from simulators.xapi.faults import Drop, Faults
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
from simulators.xapi.tasks import VOID, Tasks
from simulators.xapi.templates import Templates
from simulators.xapi.transfer import Transfer
from simulators.xapi.wire import Call, content_xml

_LOGIN = "session.login_with_password"
_ASYNC = "Async."
_ACCOUNTS = {"root": Account("secret"), "reader": Account("secret", "read-only")}


class Simulator:
    """A pool: one master, and its objects. Several threads may call it at once."""

    def __init__(
        self,
        *,
        vms: int = 3,
        latency_seconds: float = 0,
        event_delay_seconds: float = 0.05,
        content_bytes: int = CHUNK_BYTES,
        accounts: Mapping[str, Account] | None = None,
        session_idle: timedelta = timedelta(hours=24),
        operation_seconds: float = 0,
        bonds: int = 0,
        hosts: int = 1,
        tools: bool = True,
        refuses_busy: bool = False,
        resizes_online: bool = False,
        reverts_disks: bool = False,
    ) -> None:
        """Make a pool.

        :param vms: how many guests there are
        :param latency_seconds: how long each call takes at least
        :param event_delay_seconds: how long ``event.from`` waits, unless tasks alone are asked for; 0 before
            XAPI 26.10
        :param content_bytes: how much is on each disk, and in an export of it
        :param accounts: who may log in; by default ``root`` and the read-only ``reader``, with ``secret``
        :param session_idle: how long a session may be idle
        :param operation_seconds: how long each operation on a VM takes, in which others wait for it
        :param bonds: how many networks there are besides, each over two interfaces that are one
        :param hosts: how many hosts there are; several have a storage each, and share another one
        :param tools: whether there are tools in guests, which come up as soon as those are started
        :param refuses_busy: whether an operation on a busy VM is refused at once, in place of waiting
        :param resizes_online: whether storages let disks grow that are in use
        :param reverts_disks: whether storages take disks back to snapshots, in place of clones of these
        """
        #: All calls as they came, where somebody has put a list here.
        self.journal: list[Call] | None = None
        self.database = Database()
        self.faults = Faults()
        self.counts: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._latency_seconds = latency_seconds
        self.master = seed(self.database, vms, bonds, hosts)
        self.sessions = Sessions(self.database, _ACCOUNTS if accounts is None else accounts, session_idle)
        database = self.database
        self._operations = Operations(database, self.faults, operation_seconds, refuses_busy=refuses_busy)
        self.tasks = Tasks(database, self._operations.cancel, self.master)
        events = Events(database, event_delay_seconds)
        self._session_handlers = self.tasks.session_handlers() | events.session_handlers()
        self._handlers: dict[str, Handler] = field_handlers(database)
        self.storage = storage = Storage(database, content_bytes, resizes_online=resizes_online)
        devices = Devices(storage, Drives(database), Networking(database))
        images = SuspendImages(database, storage)
        power = Power(database, images, tools=tools)
        machines = Machines(database, devices)
        copying = Copying(database, machines, devices)
        for part in (
            *(devices.storage, devices.drives, devices.networking, power, machines, copying),
            Networks(database, devices.networking, self.faults),
            Snapshots(database, copying, power, images, self.faults, reverts_disks=reverts_disks),
            Templates(database, devices),
            *(VmSettings(database), events, Plugs(database)),
        ):
            self._handlers |= part.handlers()
        self.transfer = Transfer(database, devices, machines)

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
        self.end_sessions_if_ordered(call.method)
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

    def end_sessions(self) -> None:
        """End all sessions behind their clients' backs."""
        for session in self.database.all("session"):
            self.sessions.end(session)

    def end_sessions_if_ordered(self, message: str) -> None:
        """End all sessions, where a rule says so of this call of a message."""
        if self.faults.ends_sessions(message):
            self.end_sessions()

    def _perform(self, call: Call, master_address: str | None) -> tuple[Message, Any]:
        is_async, name = call.method.startswith(_ASYNC), call.method.removeprefix(_ASYNC)
        message = _message(name)
        values = _values(call, name, message)
        if master_address is not None:
            raise Failure("HOST_IS_SLAVE", master_address)
        if message.name == _LOGIN:
            user, password, _, originator = values
            return message, self.sessions.log_in(user, password, originator, self.master.ref)
        if not message.needs_session:
            raise Failure("NOT_IMPLEMENTED", name)
        session = self.sessions.check(values[0])
        if is_async and not message.has_task:
            raise Failure("Fault", f"No async mode for this operation (rpc: {name})")
        work = partial(self._run, session, message, values[1:])
        if is_async:
            return _message("task.create"), self._begin(call.method, session, message, work)
        if message.name == "session.logout":
            self.sessions.end(session)
            return message, ""
        return message, work(None)

    def _run(self, session: Object, message: Message, values: list[Any], task: Object | None) -> Any:
        self.sessions.permit(session, message.name)
        in_session = self._session_handlers.get(message.name)
        if in_session is not None:
            return in_session(session, *values)
        handler = self._handlers.get(message.name)
        if handler is None:
            raise Failure("NOT_IMPLEMENTED", message.name)
        with self._operations.under_way(message.name, values, task):
            if task is not None:
                self.tasks.stop_if_cancelled(task)
            return handler(*values)

    def _begin(
        self, label: str, session: Object, message: Message, work: Callable[[Object | None], Any]
    ) -> str:
        """Do something in a task of its own, and return the task."""
        task = self.tasks.begin(label, session=session)
        threading.Thread(target=self._finish, args=(task, message, work), daemon=True).start()
        return task.ref

    def _finish(self, task: Object, message: Message, work: Callable[[Object | None], Any]) -> None:
        with contextlib.suppress(Failure), self.tasks.carried_out(task) as outcome:  # it is in the task
            self.faults.before(self.faults.take(message.name))
            value = work(task)
            is_void = message.returns.name == "void"
            outcome.result = VOID if is_void else f"<value>{content_xml(message.returns, value)}</value>"


def _message(name: str) -> Message:
    message = _names().get(name)
    if message is None:
        raise Failure("MESSAGE_METHOD_UNKNOWN", name)
    return message


def _values(call: Call, name: str, message: Message) -> list[Any]:
    """Read the parameters. XAPI counts them without the session, and wants those that nobody may leave out.

    Where some may be left out, it does not look at how many there are besides.
    """
    least = sum(parameter.required for parameter in message.parameters)
    given = len(call.parameters)
    if given < least or (given > least == len(message.parameters)):
        expected, received = least - message.needs_session, given - message.needs_session
        raise Failure("MESSAGE_PARAMETER_COUNT_MISMATCH", name, str(expected), str(received))
    values = [
        call.wire.read(parameter, value)
        for parameter, value in zip(message.parameters, call.parameters, strict=False)
    ]
    return values + [parameter.type.zero() for parameter in message.parameters[len(values) :]]


@cache
def _names() -> Mapping[str, Message]:
    """Return all messages, each by two names: ``event.from`` is no Python, so there is ``event_from``."""
    messages = [found for class_ in classes().values() for found in class_.messages.values()]
    return {found.name.replace(".", "_"): found for found in messages} | {
        found.name: found for found in messages
    }
