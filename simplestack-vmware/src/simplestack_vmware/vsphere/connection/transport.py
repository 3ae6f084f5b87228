"""Requests on the connections of pyvmomi's stub. A change is never repeated."""

import http.client
import time
from collections.abc import Callable
from functools import partial
from http.cookies import CookieError, SimpleCookie
from typing import Any, NamedTuple, TypeVar

from simplestack import HypervisorError, HypervisorTimeout, HypervisorUnavailable, Target
from simplestack_vmware.sdk import SoapAdapter
from simplestack_vmware.settings import VmwareSettings
from simplestack_vmware.vsphere.connection.tls import VsphereConnection, cause_of

T = TypeVar("T")

#: `code` of the error when it is unknown whether an operation took effect.
UNKNOWN_OUTCOME = "UNKNOWN_OUTCOME"
_COOKIE = "vmware_soap_session"


class Request(NamedTuple):
    """A request."""

    #: What clients read in messages: a method of vSphere's.
    name: str
    path: str
    body: bytes | None
    headers: dict[str, str]
    #: Whether it may be sent again when the connection breaks before the response.
    is_repeatable: bool


class Transport:
    """Sends requests to a host. It may be used by several threads."""

    def __init__(self, target: Target, settings: VmwareSettings) -> None:
        self.target = target
        #: pyvmomi's own stub. It writes requests, and keeps connections and the session's cookie.
        self.soap: Any = SoapAdapter.SoapStubAdapter(
            host=target.name, port=target.port or settings.port, poolSize=settings.max_calls_per_host
        )
        self.soap.scheme = partial(VsphereConnection, target, settings)  # type: ignore[assignment]  # a factory, too
        #: Whether responses may set the session's cookie: until the login has succeeded.
        self.takes_cookies = True

    @property
    def session_id(self) -> str:
        """The session's ID, or an empty string before the first response."""
        return self.soap.GetSessionId() or ""

    def send(
        self, request: Request, read: Callable[[http.client.HTTPResponse], T], limit_seconds: float
    ) -> T:
        """Send a request, and return the result of `read` for its response.

        :raises HypervisorUnavailable: the host cannot be reached, and the request had no effect
        :raises HypervisorTimeout: no response in time
        :raises HypervisorError: UNKNOWN_OUTCOME: the connection broke after a change was sent
        """
        deadline = time.monotonic() + limit_seconds
        is_second = False
        method = "GET" if request.body is None else "POST"
        while True:
            connection = self._connection()
            try:
                connection.set_deadline(deadline)
                headers = request.headers | ({"Cookie": self.soap.cookie} if self.soap.cookie else {})
                connection.request(method, request.path, request.body, headers)
                response = connection.getresponse()
                result = read(response)
                response.read()  # to the end, to reuse the connection
            except TimeoutError:
                connection.close()
                effect = "" if request.is_repeatable else "; whether it took effect is unknown"
                raise HypervisorTimeout(
                    f"{self.target} did not respond to {request.name} within {limit_seconds:.3g} s{effect}"
                ) from None
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                self.soap.DropConnections()  # what ended this one has ended the idle ones, too
                if not request.is_repeatable:
                    raise _unknown_outcome(self.target, request.name) from None
                if is_second:
                    raise HypervisorUnavailable(
                        f"the connection to {self.target} broke twice: {cause_of(error)}"
                    ) from None
                is_second = True
            except BaseException:
                connection.close()  # the rest of the response would come before the next one
                raise
            else:
                if self.takes_cookies:
                    self._keep_cookie(response)
                self._give_back(connection)
                return result

    def close(self) -> None:
        """Close all idle connections."""
        self.soap.DropConnections()

    def _connection(self) -> VsphereConnection:
        while True:
            connection: VsphereConnection = self.soap.GetConnection()
            if not connection.was_closed:
                return connection
            connection.close()

    def _give_back(self, connection: VsphereConnection) -> None:
        if connection.sock is None:  # the host closes it after this response
            connection.close()
        else:
            self.soap.ReturnConnection(connection)

    def _keep_cookie(self, response: http.client.HTTPResponse) -> None:
        for header in response.headers.get_all("Set-Cookie", []):
            try:
                cookie = SimpleCookie(header).get(_COOKIE)
            except CookieError:
                continue
            if cookie is not None:
                self.soap.SetSessionId(cookie.value)


def _unknown_outcome(target: Target, name: str) -> HypervisorError:
    return HypervisorError(
        f"the connection to {target} broke before the response to {name}: whether it took effect is "
        "unknown, so check before you try again",
        UNKNOWN_OUTCOME,
    )
