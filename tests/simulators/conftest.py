"""A simulated XAPI over TLS, and clients of it."""

import json
import ssl
import urllib.request
import xmlrpc.client
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme
import XenAPI

from simulators.xapi.server import Server, running, server_context
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
