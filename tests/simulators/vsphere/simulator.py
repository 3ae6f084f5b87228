"""From a call to its response: which method, is it well-formed, may this client call it, what does it do."""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from pyVmomi import vmodl

from simulators.rules import Drop
from simulators.vsphere import behavior, inventory, soap
from simulators.vsphere.calls import Call, Client
from simulators.vsphere.collectors import Collector
from simulators.vsphere.database import Database, Object
from simulators.vsphere.faults import Faults, Rule
from simulators.vsphere.files import Files
from simulators.vsphere.methods import Binding, find_binding, python_name
from simulators.vsphere.products import Product
from simulators.vsphere.reader import Reader, invalid
from simulators.vsphere.schema import ManagedObject, Method, find_method, name_of
from simulators.vsphere.sessions import Account, Session, Sessions, TooManySessions, check, current
from simulators.vsphere.tasks import Tasks
from simulators.vsphere.versions import UnsupportedVersion, find_version, includes, negotiate

behavior.load()
_IDLE = timedelta(minutes=30)


class Response(NamedTuple):
    """The response to a SOAP request."""

    status: int
    body: bytes
    #: The cookie to set; empty to remove it, None to leave it.
    cookie: str | None = None


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
        self.journal: list[tuple[str, soap.Request]] | None = None
        #: What the simulator itself did wrong, such as a fault that a method does not declare.
        self.defects: list[str] = []
        #: Pages of properties that clients have not fetched yet: by session, collector and token.
        self.pages: dict[tuple[str, str, str], Any] = {}
        #: By session and property collector.
        self.collectors: dict[tuple[str, str], Collector] = {}
        self.latency_seconds = latency_seconds
        accounts = product.accounts if accounts is None else accounts
        self.sessions = Sessions(accounts, session_idle, self._forget_session)
        self.tasks = Tasks(self.database, self.faults, self.defects.append, product.task_id_format)
        self.tasks.seconds = task_seconds
        self._counting = threading.Lock()
        with self.database.lock:
            inventory.build(self, vms)

    def answer(self, body: bytes, soap_action: str, cookie: str | None, client: Client) -> Response:
        """Answer a SOAP request.

        :param cookie: of the client's session
        :raises Drop: the connection is to be closed instead
        """
        version = self.newest_version
        rule: Rule | None = None
        cookies: list[str] = []
        try:
            version = negotiate(soap_action, version)
            request = soap.read_request(body)
            self._count(version, request)
            rule = self._apply_faults(request.method)
            method, value = self._perform(request, version, cookie, client, cookies)
            written = Response(200, soap.response(method, value, version), *cookies)
        except vmodl.MethodFault as fault:
            written = Response(500, soap.fault_response(fault, version), *cookies)
        except UnsupportedVersion as error:
            body = soap.fault_response(error.fault, version, "VersionMismatchFaultCode")
            written = Response(500, body)
        except TooManySessions:
            written = Response(503, b"")
        if rule is not None and rule.effect == "drop after":
            raise Drop
        return written

    def _count(self, version: str, request: soap.Request) -> None:
        with self._counting:
            self.counts[request.method] += 1
            if self.journal is not None:
                self.journal.append((version, request))

    def _apply_faults(self, method: str) -> Rule | None:
        if self.latency_seconds:
            time.sleep(self.latency_seconds)  # that is the option's purpose
        if self.faults.ends_sessions(method):
            with self.database.lock:
                self.sessions.end_all()
        rule = self.faults.take(method)
        self.faults.before(rule)
        return rule

    def _perform(
        self, request: soap.Request, version: str, cookie: str | None, client: Client, cookies: list[str]
    ) -> tuple[Method, Any]:
        def keep(session: Session | None) -> None:
            cookies.append("" if session is None else session.cookie)

        with self.database.lock:
            session = self.sessions.find(cookie)
            method, target, arguments = self._read(request, version, session)
            call = Call(self, method, target, version, session, client, keep)
            binding = self._bind(call)
            check(session, binding.privilege, target.ref)
            token = current.set(session)
            try:
                return method, binding.handler(call, **self._resolved(call, arguments))
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
        self, request: soap.Request, version: str, session: Session | None
    ) -> tuple[Method, Object, dict[str, Any]]:
        method = find_method(request.method)
        if method is None:
            raise invalid(f'Unable to resolve WSDL method name "{request.method}"')
        where = f"call information for method {method.name}"
        if not request.elements or request.elements[0].name != "_this":
            raise invalid(f'Required parameter "_this" is missing\n\nwhile parsing {where}')
        reader = Reader(version)
        ref = reader.value(request.elements[0], ManagedObject)
        if not isinstance(ref, method.owner) or not includes(version, method.version):
            raise vmodl.fault.MethodNotFound(receiver=ref, method=method.name)
        if method.privilege != "System.Anonymous":
            check(session, "System.Anonymous" if session else "System.View", ref)
        arguments = reader.members(request.elements[1:], method.parameters, where)
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
