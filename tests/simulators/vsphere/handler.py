"""HTTP requests of a connection: SOAP calls, and other paths in `routes`."""

from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol
from urllib.parse import urlsplit

from simulators.rules import Drop
from simulators.vsphere import control, folder_requests, routes, vi_json  # noqa: F401  they register routes
from simulators.vsphere.answers import answer_soap
from simulators.vsphere.calls import Client
from simulators.vsphere.request_bodies import Body, CutOffError
from simulators.vsphere.simulator import Simulator
from simulators.vsphere.versions import service_versions

_COOKIE = "vmware_soap_session"
#: vCenter accepts no longer SOAP requests.
_MAX_CALL_BYTES = 20 * 1024**2
_XML = "text/xml; charset=utf-8"


class Place(Protocol):
    """What a connection needs to know of its server."""

    simulator: Simulator


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection, one after the other."""

    protocol_version = "HTTP/1.1"
    #: Set by the server.
    place: Place

    @property
    def simulator(self) -> Simulator:
        """The vCenter or host."""
        return self.place.simulator

    @property
    def client(self) -> Client:
        """Who is asking."""
        return Client(str(self.client_address[0]), self.headers.get("User-Agent", ""))

    @property
    def cookie(self) -> str | None:
        """What the client's session is found by."""
        try:
            found = SimpleCookie(self.headers.get("Cookie", "")).get(_COOKIE)
        except CookieError:
            return None
        return None if found is None else found.value

    def do_GET(self) -> None:
        """Return the API versions, or what a route has."""
        if urlsplit(self.path).path == "/sdk/vimServiceVersions.xml":
            self.send(200, service_versions(self.simulator.newest_version), _XML)
        else:
            self._other()

    def do_POST(self) -> None:
        """Answer a SOAP call."""
        if urlsplit(self.path).path.rstrip("/") == "/sdk":
            body = self.read_body(_MAX_CALL_BYTES)
            if body is not None:
                self.answer_soap(body)
        else:
            self._other()

    def do_PUT(self) -> None:
        """Take what a route takes."""
        self._other()

    def do_DELETE(self) -> None:
        """Remove what a route has."""
        self._other()

    def do_HEAD(self) -> None:
        """Return the headers of what a route has."""
        self._other()

    def log_message(self, *_arguments: Any) -> None:
        """Print nothing: the counts tell more."""

    def read_body(self, limit: int) -> bytes | None:
        """Return the body; None if it is incomplete, has no length or is too long, which was answered."""
        try:
            body = Body(self.rfile, self.headers)
        except ValueError:
            self._reject(411)
            return None
        try:
            data = b"" if body.announced > limit else body.read(limit + 1)
        except CutOffError:
            self.drop()
            return None
        except ValueError:
            self._reject(400)
            return None
        if max(len(data), body.announced) > limit:
            self._reject(413)
            return None
        return data

    def answer_soap(self, body: bytes) -> None:
        """Answer a SOAP request, unless the connection is to be closed."""
        action = self.headers.get("SOAPAction", "")
        try:
            found = answer_soap(self.simulator, body, action, self.cookie, self.client)
        except Drop:
            self.drop()
            return
        self.send(found.status, found.body, found.content_type, found.cookie)

    def send(
        self,
        status: int,
        body: bytes,
        content_type: str = "text/plain",
        cookie: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Send a response.

        :param cookie: of the session that the client has from now on; empty if it has none
        :param headers: others
        """
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if cookie is not None:
            end = "" if cookie else " Max-Age=0;"
            self.send_header("Set-Cookie", f'{_COOKIE}="{cookie}"; Path=/; HttpOnly; Secure;{end}')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _reject(self, status: int) -> None:
        """Answer a request whose body was not read."""
        self.close_connection = True
        self.send(status, b"")

    def drop(self) -> None:
        """Close the connection without a response."""
        self.close_connection = True

    def _other(self) -> None:
        path = urlsplit(self.path).path
        if path.startswith(control.PREFIX):
            body = self.read_body(_MAX_CALL_BYTES) if self.command == "POST" else b""
            if body is not None:
                self.send(*control.answer(self.simulator, self.command, path, body))
            return
        found = routes.find(self.command, path)
        if found is None:
            self._reject(404)
        else:
            found(self)
