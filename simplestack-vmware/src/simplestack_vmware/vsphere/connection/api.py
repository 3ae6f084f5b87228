"""A session with a vCenter or an ESXi host: log in, and call methods. Several threads may use it."""

import http.client
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from xml.etree.ElementTree import Element
from xml.parsers.expat import ExpatError

from simplestack import (
    Credentials,
    HttpsRequest,
    HypervisorError,
    HypervisorUnavailable,
    OperationTimeout,
    SessionExpired,
    Target,
    parse_xml,
)
from simplestack_vmware.sdk import SoapAdapter, vim
from simplestack_vmware.settings import VmwareSettings
from simplestack_vmware.vsphere.connection import versions
from simplestack_vmware.vsphere.connection.faults import Fault, local_name, soap_fault
from simplestack_vmware.vsphere.connection.limits import at_least, left_seconds
from simplestack_vmware.vsphere.connection.refs import Ref, managed_type
from simplestack_vmware.vsphere.connection.stub import Stub, is_repeatable
from simplestack_vmware.vsphere.connection.transport import Transport

_log = logging.getLogger(__name__)

T = TypeVar("T")

#: Reads the response to a request.
Read = Callable[[http.client.HTTPResponse], T]

_SOAP_PATH = "/sdk"
_LOGOUT_SECONDS = 5.0
_MAX_FAULT_BYTES = 4 * 1024**2
_UNAVAILABLE = (
    http.HTTPStatus.BAD_GATEWAY,
    http.HTTPStatus.SERVICE_UNAVAILABLE,
    http.HTTPStatus.GATEWAY_TIMEOUT,
)


class Api:
    """The methods of a host's objects, on a session."""

    #: The host's service objects and what it says of itself. `log_in` sets it.
    content: "vim.ServiceInstanceContent"

    def __init__(self, target: Target, settings: VmwareSettings) -> None:
        self.target = target
        self._transport = Transport(target, settings)
        #: Time limit for one call.
        self.limit_seconds = settings.call_timeout_seconds
        self._thread = threading.local()
        self.stub = Stub(self._transport.soap, self._invoke)

    # the session

    def log_in(self, credentials: Credentials) -> None:
        """Negotiate the version of the API, and log in: three round trips.

        :raises Fault: vSphere rejects the login, with ``InvalidLogin`` for example
        :raises SimplestackError: the connection failed, or the response is not valid
        """
        offered = self._transport.send(
            HttpsRequest("the list of versions", versions.PATH, is_read=True),
            lambda response: response.read() if response.status == http.HTTPStatus.OK else None,
            self._call_limit("the list of versions"),
        )
        version = None if offered is None else versions.from_document(offered)
        if version is not None:
            self._transport.soap.ComputeVersionInfo(version)
        self.content = vim.ServiceInstance("ServiceInstance", self.stub).RetrieveContent()
        if version is None:
            number = self.content.about.apiVersion
            self._transport.soap.ComputeVersionInfo(versions.from_number(number))
        manager = self.content.sessionManager
        if manager is None:
            raise HypervisorError("the host has no session manager")
        manager.Login(credentials.username, credentials.password, None)
        self._transport.takes_cookies = False

    def log_out(self) -> None:
        """Log out and close the connections.

        :raises SimplestackError: the logout failed; vSphere ends the session when it has been idle for long
        """
        manager = self.content.sessionManager
        self.begin_operation()
        try:
            if manager is not None:
                body = self.stub.request(manager, manager._GetMethodInfo("Logout"), [])  # noqa: SLF001  public in pyvmomi, in spite of its name
                with at_least(_LOGOUT_SECONDS):
                    self.post("Logout", body, lambda response: response.read(), limit_seconds=_LOGOUT_SECONDS)
        except (Fault, SessionExpired):
            pass  # it has ended already
        finally:
            self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def begin_operation(self) -> None:
        """Mark the session as unverified for this thread: its next call shows whether it has ended."""
        self._thread.is_verified = False

    @property
    def last_method(self) -> str:
        """The method that this thread has called last, for messages."""
        return getattr(self._thread, "last_method", "the operation")

    @property
    def is_vcenter(self) -> bool:
        """Whether the host is a vCenter, and not a lone ESXi host."""
        return self.content.about.apiType == "VirtualCenter"

    @property
    def session_id(self) -> str:
        """The session's ID, as VI-JSON and transfers need it. It is a secret."""
        return self._transport.session_id

    # methods

    def object(self, ref: Ref) -> Any:
        """Return pyvmomi's managed object, to call its methods."""
        return managed_type(ref.type)(ref.value, self.stub)

    def call_raw(
        self, obj: Any, method: str, arguments: tuple[Any, ...], limit_seconds: float | None = None
    ) -> Element:
        """Call a method, and return its response as XML.

        Use it where the response may have types that pyvmomi does not know, such as faults in tasks.

        :param method: pyvmomi's name of it
        :param limit_seconds: time limit. Default: that of a call
        :raises Fault: vSphere rejects the call
        """
        info = obj._GetMethodInfo(method)  # noqa: SLF001  public in pyvmomi, in spite of its name
        body = self.stub.request(obj, info, arguments)
        text = self.post(info.wsdlName, body, lambda response: response.read(), limit_seconds=limit_seconds)
        root = parse_xml(text.decode(errors="replace"), "vSphere's response")
        name = f"{info.wsdlName}Response"
        found = next((each for each in root.iter() if local_name(each) == name), None)
        if found is None:
            raise HypervisorError(f"vSphere returned no response to {info.wsdlName}")
        return found

    def post(self, method: str, body: bytes, read: Read[T], limit_seconds: float | None = None) -> T:
        """Send a request of SOAP on the session, and return the result of `read` for its response.

        :param method: its name in SOAP
        :raises Fault: vSphere rejects it
        :raises SimplestackError: the connection failed, or the session has ended
        """
        headers = {"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": self._transport.soap.versionId}
        request = HttpsRequest(method, _SOAP_PATH, body, headers, is_read=is_repeatable(method))
        self._thread.last_method = method
        with self._on_session(method):
            return self.send(request, lambda response: read(_checked(response, method)), limit_seconds)

    def send(self, request: HttpsRequest, read: Read[T], limit_seconds: float | None = None) -> T:
        """Send a request of any kind, with the session's cookie.

        :raises SimplestackError: the connection failed, or the operation has no time left
        """
        return self._transport.send(request, read, self._call_limit(request.name, limit_seconds))

    def _invoke(self, method: str, body: bytes, result: Any) -> Any:
        """Call a method for pyvmomi's managed objects.

        :param result: pyvmomi's type of the result
        """

        def read(response: http.client.HTTPResponse) -> Any:
            text = response.read()
            if (
                f"{method}Response".encode() not in text
            ):  # pyvmomi would return None, as methods without a result
                raise HypervisorError(f"vSphere returned no response to {method}")
            try:
                return SoapAdapter.SoapResponseDeserializer(self.stub).Deserialize(text, result)
            except (ExpatError, LookupError, TypeError, AttributeError, ValueError) as error:
                _log.warning("pyvmomi cannot read the response to %s: %r", method, error)
                raise HypervisorError(
                    f"vSphere's response to {method} has a type that pyvmomi does not know: check whether "
                    "the call took effect"
                ) from None

        return self.post(method, body, read)

    def _call_limit(self, name: str, limit_seconds: float | None = None) -> float:
        """Return the time limit for a call.

        :raises OperationTimeout: the operation has no time left
        """
        left = left_seconds()
        if left <= 0:
            raise OperationTimeout(f"the operation has no time left for {name}")
        return min(left, self.limit_seconds if limit_seconds is None else limit_seconds)

    @contextmanager
    def _on_session(self, method: str) -> Iterator[None]:
        """Send a request on the session, and translate the fault for a session that has ended.

        :raises SessionExpired: the session has ended, and this was the first call of the operation
        :raises HypervisorUnavailable: the session ended during the operation
        """
        try:
            yield
        except Fault as fault:
            if not fault.is_a("NotAuthenticated"):
                self._thread.is_verified = True
                raise
            if not getattr(self._thread, "is_verified", False):
                raise SessionExpired(
                    "vSphere has ended the session, and also the new one: try again later"
                ) from None
            raise HypervisorUnavailable(
                f"vSphere ended the session before {method}: try again later"
            ) from None
        self._thread.is_verified = True


def _checked(response: http.client.HTTPResponse, method: str) -> http.client.HTTPResponse:
    """Return a response if it is a result.

    :raises Fault: it is a fault
    :raises SimplestackError: it is no SOAP
    """
    status = response.status
    if status == http.HTTPStatus.OK:
        return response
    if status == http.HTTPStatus.INTERNAL_SERVER_ERROR:
        raise soap_fault(response.read(_MAX_FAULT_BYTES))
    if status in _UNAVAILABLE:
        raise HypervisorUnavailable(f"vSphere returned HTTP status {status} to {method}: try again later")
    raise HypervisorError(f"vSphere returned HTTP status {status} to {method}", status)
