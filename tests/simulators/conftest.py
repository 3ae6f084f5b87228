"""A simulated XAPI over TLS, and clients of it."""

import contextlib
import http.client
import json
import ssl
import urllib.request
import xmlrpc.client
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
import trustme
import XenAPI

from simulators.https import running
from simulators.images import MIB, Ask, Upload
from simulators.tls import server_context
from simulators.xapi.server import Server
from simulators.xapi.simulator import Simulator

Client = Callable[..., Any]


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def context(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """What the simulator shows its clients."""
    path = tmp_path_factory.mktemp("xapi") / "server.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(path)
    return server_context(path)


@pytest.fixture(scope="session")
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """What a client needs to trust it."""
    found = ssl.create_default_context()
    authority.configure_trust(found)
    return found


@pytest.fixture
def server(context: ssl.SSLContext) -> Iterator[Server]:
    with running(Server(Simulator(), context)) as made:
        yield made


@pytest.fixture
def connect(trusting: ssl.SSLContext) -> Iterator[Client]:
    """Give `connect(server, user, password)`: a session of XenServer's own SDK."""
    opened = []

    def connected(server: Server, user: str = "root", password: str = "secret") -> Any:
        transport = xmlrpc.client.SafeTransport(context=trusting)
        session = XenAPI.Session(f"https://127.0.0.1:{server.port}", transport)
        opened.append(session)
        session.xenapi.login_with_password(user, password, "1.0", "tests")
        return session

    yield connected
    for session in opened:
        session("close")()


@pytest.fixture
def session(server: Server, connect: Client) -> Any:
    return connect(server)


@pytest.fixture
def vm(session: Any) -> str:
    """Give a VM that is off."""
    ref: str = session.xenapi.VM.get_by_name_label("vm-0")[0]
    return ref


@pytest.fixture
def storage(session: Any) -> str:
    """Give the storage that the pool's disks are in."""
    ref: str = session.xenapi.SR.get_by_name_label("Local storage")[0]
    return ref


@pytest.fixture
def fetch(server: Server, trusting: ssl.SSLContext) -> Callable[..., bytes]:
    """Give `fetch(method, path, body)`, which sends one request."""

    def fetched(method: str, path: str, body: Any = None) -> bytes:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        url = f"https://127.0.0.1:{server.port}{path}"
        request = urllib.request.Request(url, data, method=method)
        with urllib.request.urlopen(request, timeout=20, context=trusting) as answer:  # noqa: S310  https
            body_read: bytes = answer.read()
        return body_read

    return fetched


@pytest.fixture
def ask(server: Server, session: Any, trusting: ssl.SSLContext) -> Ask:
    """Give `ask(method, path, body, **query)`: status, headers and body of the answer."""

    def asked(
        method: str,
        path: str,
        body: Any = None,
        port: int = 0,
        headers: Mapping[str, str] | None = None,
        **query: str,
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPSConnection(
            "127.0.0.1", port or server.port, context=trusting, timeout=20
        )
        everything = urlencode({"session_id": session._session, **query})
        with contextlib.closing(connection):
            with contextlib.suppress(OSError):  # it has answered, and reads no more
                connection.request(method, f"{path}?{everything}", body, headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()

    return asked


@pytest.fixture
def upload(server: Server, session: Any, trusting: ssl.SSLContext) -> Iterator[Upload]:
    """Give `upload(length, path, **query)`: a connection that is to send an image of that length."""
    with contextlib.ExitStack() as stack:

        def uploaded(length: int, path: str = "/import", **query: str) -> http.client.HTTPSConnection:
            connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=trusting, timeout=20)
            stack.enter_context(contextlib.closing(connection))
            everything = urlencode({"session_id": session._session, **query})
            connection.putrequest("PUT", f"{path}?{everything}")
            connection.putheader("Content-Length", str(length))
            connection.endheaders()
            return connection

        yield uploaded


@pytest.fixture
def big(context: ssl.SSLContext) -> Iterator[Server]:
    """Give a pool with 8 MiB on each disk."""
    with running(Server(Simulator(content_bytes=8 * MIB), context)) as made:
        yield made
