"""A simulated vCenter and ESXi host, govmomi's simulator, and sessions on them."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from simplestack import Credentials, Target
from simplestack_vmware.session import connect, disconnect
from simplestack_vmware.settings import VmwareSettings
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simulators.tls import Trust, make_trust
from simulators.vsphere.nfc_server import NfcServer
from simulators.vsphere.products import ESXI, VCENTER, Product
from support.lacking import lacking_packages
from support.vsphere import PASSWORD, Host, running_host, running_leases

from .counterparts import vcsim
from .transfers import stream_optimized
from .uploads import FIRST, SECOND, described, disk, packed

Connect = Callable[..., VmwareSession]


@pytest.fixture(scope="session")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    return make_trust(tmp_path_factory.mktemp("trust"))


@pytest.fixture
def vcenter(trust: Trust) -> Iterator[Host]:
    with running_host(trust) as made:
        yield made


@pytest.fixture(params=["VI-JSON", "SOAP"])
def wire(request: pytest.FixtureRequest) -> Product:
    """Give a vCenter with VI-JSON, then one without."""
    return msgspec.structs.replace(VCENTER, speaks_json=request.param == "VI-JSON")


@pytest.fixture
def either(wire: Product, trust: Trust) -> Iterator[Host]:
    """Give a vCenter that is read by VI-JSON, then one that is read by SOAP."""
    with running_host(trust, wire) as made:
        yield made


@pytest.fixture
def esxi(trust: Trust) -> Iterator[Host]:
    with running_host(trust, ESXI) as made:
        yield made


@pytest.fixture(params=[VCENTER, ESXI], ids=["vCenter", "ESXi"])
def host(request: pytest.FixtureRequest, trust: Trust) -> Iterator[Host]:
    """Give a vCenter, then an ESXi host."""
    with running_host(trust, request.param) as made:
        yield made


@pytest.fixture(scope="session")
def lease_trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    """Give the certificate of the server of leases, which is of an authority that nobody trusts."""
    return make_trust(tmp_path_factory.mktemp("leases"))


@pytest.fixture
def with_leases(vcenter: Host, lease_trust: Trust) -> Iterator[Host]:
    """Give a vCenter with an address for the files of leases."""
    with running_leases(vcenter, lease_trust):
        yield vcenter


@pytest.fixture
def leases(host: Host, lease_trust: Trust) -> Iterator[NfcServer]:
    """Give the address of the files of the host's leases."""
    with running_leases(host, lease_trust) as made:
        yield made


@pytest.fixture
def log_in() -> Iterator[Connect]:
    """Give `log_in(host, user, password, **settings)`, the plugin's own."""
    made = []

    def logged_in(
        host: Host, user: str | None = None, password: str = PASSWORD, **settings: object
    ) -> VmwareSession:
        session = connect(host.target, Credentials(user or host.user, password), host.settings(**settings))
        made.append(session)
        return session

    yield logged_in
    for session in made:
        disconnect(session)


@pytest.fixture
def session(vcenter: Host, log_in: Connect) -> VmwareSession:
    return log_in(vcenter)


@pytest.fixture(params=["vCenter", "ESXi"])
def govmomi(request: pytest.FixtureRequest, trust: Trust) -> Iterator[VmwareSession]:
    """Give sessions on a vCenter and on an ESXi host of govmomi's simulator, one after the other."""
    with _govmomi_session(trust, esx=request.param == "ESXi") as session:
        yield session


@pytest.fixture
def govmomi_vcenter(trust: Trust) -> Iterator[VmwareSession]:
    """Give a session on a vCenter of govmomi's simulator."""
    with _govmomi_session(trust, esx=False) as session:
        yield session


@contextlib.contextmanager
def _govmomi_session(trust: Trust, *, esx: bool) -> Iterator[VmwareSession]:
    missing = vcsim.missing_packages()
    if missing:
        lacking_packages(missing)
    settings = VmwareSettings(tls_ca_file=str(trust.ca_file))
    with vcsim.running(trust.certificate, esx=esx) as port:
        session = connect(Target("127.0.0.1", port), Credentials(vcsim.USER, vcsim.PASSWORD), settings)
        yield session
        disconnect(session)


@pytest.fixture
def disks(tmp_path: Path) -> dict[str, bytes]:
    """Give two disks as VMDKs."""
    return {
        "disk-1.vmdk": stream_optimized(tmp_path, FIRST),
        "disk-2.vmdk": stream_optimized(tmp_path, SECOND),
    }


@pytest.fixture
def archive(disks: dict[str, bytes]) -> bytes:
    """Give an appliance with two disks."""
    return packed(described(disk(1, FIRST), disk(2, SECOND)), disks)
