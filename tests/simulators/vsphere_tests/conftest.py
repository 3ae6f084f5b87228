"""A simulated vCenter and ESXi over TLS, and clients of them."""

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from simulators.https import running
from simulators.tls import Trust, make_trust, server_context, thumbprint
from simulators.vsphere.nfc_server import NfcServer
from simulators.vsphere.products import ESXI, VCENTER, Product
from simulators.vsphere.server import Server
from simulators.vsphere.simulator import Simulator
from simulators.vsphere_tests.clients import Client, Fetch, Raw

Connect = Callable[..., Client]


@pytest.fixture(scope="session")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    return make_trust(Path(tmp_path_factory.mktemp("vsphere")))


@pytest.fixture(scope="session")
def trusting(trust: Trust) -> ssl.SSLContext:
    """Give what a client needs to trust the simulator."""
    return ssl.create_default_context(cafile=str(trust.ca_file))


@pytest.fixture
def product() -> Product:
    """Give what the simulator is; tests override it by `@pytest.mark.parametrize("product", [ESXI])`."""
    return VCENTER


@pytest.fixture
def server(product: Product, trust: Trust) -> Iterator[Server]:
    with running(Server(Simulator(product), server_context(trust.certificate))) as made:
        yield made
    assert made.simulator.defects == [], "the simulator did what its own types do not allow"


@pytest.fixture(scope="session")
def lease_trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    """Give the certificate of the server of leases, which is of another authority."""
    return make_trust(Path(tmp_path_factory.mktemp("leases")))


@pytest.fixture
def lease_server(server: Server, lease_trust: Trust) -> Iterator[NfcServer]:
    certificate = lease_trust.certificate
    host = "127.0.0.1" if server.simulator.product.is_vcenter else "*"
    made = NfcServer(
        server.simulator, server_context(certificate), host=host, thumbprint=thumbprint(certificate)
    )
    with running(made):
        yield made


@pytest.fixture
def simulator(server: Server) -> Simulator:
    return server.simulator


@pytest.fixture
def connect(server: Server, trusting: ssl.SSLContext) -> Iterator[Connect]:
    """Give `connect(user, version)`: a client that has logged in; by default as the administrator."""
    opened: list[Client] = []

    def connected(user: str | None = None, version: str = "8.0.1.0", password: str = "secret") -> Client:
        client = Client(server.port, trusting, version)
        opened.append(client)
        client.log_in(user or administrator(server.simulator.product), password)
        return client

    yield connected
    for client in opened:
        client.close()


@pytest.fixture
def client(connect: Connect) -> Client:
    return connect()


@pytest.fixture
def raw(server: Server, trusting: ssl.SSLContext, client: Client) -> Raw:
    """Give what sends hand-written SOAP in the client's session."""
    return Raw(server.port, trusting, client.cookie)


@pytest.fixture
def fetch(server: Server, trusting: ssl.SSLContext) -> Fetch:
    """Give `fetch(method, path, body)`, which sends one request and returns the status and the body."""
    return Fetch(server.port, trusting)


@pytest.fixture
def guests(fetch: Any) -> Any:
    """Give what sets what guests do."""

    def ordered(**options: Any) -> None:
        assert fetch("POST", "/simulator/guests", options) == (204, b"")

    return ordered


@pytest.fixture
def vm(client: Client) -> Any:
    """Give a VM that is off."""
    return client.vm("vm-0")


def administrator(product: Product) -> str:
    """Return who has all privileges."""
    return "administrator@vsphere.local" if product is not ESXI else "root"
