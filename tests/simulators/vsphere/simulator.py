"""From a call to its result: which method, is it well-formed, may this client call it, what does it do."""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple, Protocol

from pyVmomi import vmodl

from simulators.rules import Drop
from simulators.vsphere import behavior, inventory
from simulators.vsphere.calls import Call, Client
from simulators.vsphere.collectors import Collector
from simulators.vsphere.database import Database, Object
from simulators.vsphere.faults import Faults, Rule
from simulators.vsphere.files import Files
from simulators.vsphere.guest_systems import GuestSystems
from simulators.vsphere.leases import Leases
from simulators.vsphere.methods import Binding, find_binding, python_name
from simulators.vsphere.products import Product
from simulators.vsphere.reader import invalid
from simulators.vsphere.schema import ManagedObject, Method, find_method, name_of
from simulators.vsphere.sessions import Account, Session, Sessions, TooManySessions, check, current
from simulators.vsphere.tasks import Tasks
from simulators.vsphere.versions import find_version, includes
from simulators.vsphere.wires import Wire

behavior.load()
_IDLE = timedelta(minutes=30)


class Incoming(Protocol):
    """A call as it came, in either protocol."""

    @property
    def method(self) -> str:
        """The method's name in SOAP."""
        ...

    def this(self, version: str) -> Any:
        """Return the reference of the object whose method it is."""
        ...

    def arguments(self, method: Method, version: str) -> dict[str, Any]:
        """Return the parameters by name."""
        ...


class Outcome(NamedTuple):
    """What a call has returned."""

    method: Method
    value: Any
    #: Of the session that the client has from now on: empty if it has none, None if nothing changes.
    cookie: str | None


class Simulator:
    """A vCenter Server or an ESXi host. Several threads may call it at once."""

    def __init__(
        self,
        product: Product,
        *,
        vms: int = 3,
        accounts: Mapping[str, Account] | None = None,
        latency_seconds: float = 0,
        task_seconds: float = 0,
        session_idle: timedelta = _IDLE,
    ) -> None:
        """Make an inventory.

        :param product: ``products.VCENTER`` or ``products.ESXI``
        :param vms: number of VMs
        :param accounts: who may log in; by default the product's administrator and a read-only user
        :param latency_seconds: minimum duration of a call
        :param task_seconds: minimum duration of a task
        :param session_idle: maximum idle time of a session
        """
        self.product = product
        self.newest_version = find_version(product.api_version)
        self.database = Database(product.id_prefixes)
        self.files = Files()
        self.faults = Faults()
        self.counts: Counter[str] = Counter()
        #: All calls as they came: API version and method, if somebody has put a list here.
        self.journal: list[tuple[str, Incoming]] | None = None
        #: What the simulator itself did wrong, such as a fault that a method does not declare.
        self.defects: list[str] = []
        #: What clients were told that sent what the types do not allow.
        self.rejections: list[str] = []
        #: Pages of properties that clients have not fetched yet: by session, collector and token.
        self.pages: dict[tuple[str, str, str], Any] = {}
        #: By session and property collector.
        self.collectors: dict[tuple[str, str], Collector] = {}
        self.latency_seconds = latency_seconds
        accounts = product.accounts if accounts is None else accounts
        self.sessions = Sessions(accounts, session_idle, self._forget_session)
        self.tasks = Tasks(self.database, self.faults, self.defects.append, product.task_id_format)
        self.tasks.seconds = task_seconds
        self.guests = GuestSystems(self.database, lambda: self.tasks.seconds)
        self.leases = Leases(self)
        self._counting = threading.Lock()
        with self.database.lock:
            inventory.build(self, vms)

    def perform(self, incoming: Incoming, cookie: str | None, client: Client, wire: Wire) -> Outcome:
        """Carry out a call.

        :param cookie: of the client's session
        :raises MethodFault: what the client gets instead of a result
        :raises TooManySessions: the server has no session left
        :raises Drop: the connection is to be closed without a response
        """
        with self._counting:
            self.counts[incoming.method] += 1
            if self.journal is not None:
                self.journal.append((wire.version, incoming))
        rule = self._apply_faults(incoming.method)
        try:
            return self._perform(incoming, cookie, client, wire)
        finally:
            if rule is not None and rule.effect == "drop after":
                raise Drop

    def _apply_faults(self, method: str) -> Rule | None:
        if self.latency_seconds:
            time.sleep(self.latency_seconds)  # that is the option's purpose
        if self.faults.ends_sessions(method):
            with self.database.lock:
                self.sessions.end_all()
        rule = self.faults.take(method)
        self.faults.before(rule)
        return rule

    def _perform(self, incoming: Incoming, cookie: str | None, client: Client, wire: Wire) -> Outcome:
        cookies: list[str] = []

        def keep(session: Session | None) -> None:
            cookies.append("" if session is None else session.cookie)

        with self.database.lock:
            session = self.sessions.find(cookie)
            method, target, arguments = self._read(incoming, wire.version, session)
            call = Call(self, method, target, session, client, keep, wire)
            binding = self._bind(call)
            check(session, binding.privilege, target.ref)
            token = current.set(session)
            try:
                value = binding.handler(call, **self._resolved(call, arguments))
                return Outcome(method, value, cookies[0] if cookies else None)
            except vmodl.MethodFault as fault:
                if not method.declares(fault):
                    self.defects.append(f"{method.name} does not declare {type(fault).__name__}")
                raise
            except TooManySessions:
                raise
            except Exception as error:
                self.defects.append(f"{method.name}: {error!r}")
                raise vmodl.fault.SystemError(reason=repr(error)) from error
            finally:
                current.reset(token)

    def _read(
        self, incoming: Incoming, version: str, session: Session | None
    ) -> tuple[Method, Object, dict[str, Any]]:
        method = find_method(incoming.method)
        if method is None:
            raise invalid(f'Unable to resolve WSDL method name "{incoming.method}"')
        ref = incoming.this(version)
        if not isinstance(ref, method.owner) or not includes(version, method.version):
            raise vmodl.fault.MethodNotFound(receiver=ref, method=method.name)
        if method.privilege != "System.Anonymous":
            check(session, "System.Anonymous" if session else "System.View", ref)
        arguments = incoming.arguments(method, version)
        return method, self.database.get(ref), arguments

    def _bind(self, call: Call) -> Binding:
        method = call.method
        if method.name in self.product.unsupported:
            raise vmodl.fault.NotSupported
        binding = find_binding(method.name, call.target.kind)
        if binding is None:
            kind = name_of(call.target.kind)
            raise vmodl.fault.NotImplemented(msg=f"The simulator does not implement {kind}.{method.name}.")
        return binding

    def _resolved(self, call: Call, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments by their names in Python, objects in place of references."""
        found: dict[str, Any] = {}
        for parameter in call.method.parameters:
            value = arguments.get(parameter.name, [] if parameter.is_array else None)
            if issubclass(parameter.type, ManagedObject) and value is not None:
                objects = [self.database.get(ref) for ref in (value if parameter.is_array else [value])]
                for each in objects:
                    check(call.session, parameter.privilege or "System.Anonymous", each.ref)
                value = objects if parameter.is_array else objects[0]
            found[python_name(parameter.name)] = value
        return found

    def _forget_session(self, session: Session) -> None:
        with self.database.lock:
            for found in list(self.database.all(ManagedObject)):
                if found.session_key == session.key:
                    self.database.remove(found)
            self.pages = {key: left for key, left in self.pages.items() if key[0] != session.key}
            self.collectors = {key: own for key, own in self.collectors.items() if key[0] != session.key}
            self.database.changes.notify_all()
