"""Simulated vCenters and ESXi hosts over TLS, with an authority of their own."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pyVmomi import vim

from simplestack import Target
from simplestack.sessions.targets import AllowList
from simplestack_vmware.settings import VmwareSettings
from simulators.https import running
from simulators.tls import Trust, server_context, thumbprint
from simulators.vsphere.database import Object
from simulators.vsphere.nfc_server import NfcServer
from simulators.vsphere.products import VCENTER, Product
from simulators.vsphere.server import Server
from simulators.vsphere.simulator import Simulator

__all__ = ["PASSWORD", "Host", "administrator", "running_host", "running_leases"]

PASSWORD = "secret"


def administrator(product: Product) -> str:
    """Return who has all privileges."""
    return "administrator@vsphere.local" if product.is_vcenter else "root"


@dataclass(frozen=True)
class Host:
    """A simulated vCenter or ESXi host, and how to reach it."""

    simulator: Simulator
    server: Server
    trust: Trust

    @property
    def name(self) -> str:
        """What clients call it."""
        return f"127.0.0.1:{self.server.port}"

    @property
    def user(self) -> str:
        """Who has all privileges."""
        return administrator(self.simulator.product)

    @property
    def target(self) -> Target:
        """The host, as core hands it to a plugin whose settings allow this machine alone."""
        return AllowList(["127.0.0.1"]).check(Target("127.0.0.1", self.server.port))

    @property
    def toml(self) -> str:
        """Settings of a service that reaches it."""
        return f'[hypervisors.vmware]\nallowed_hosts = ["127.0.0.1"]\ntls_ca_file = "{self.trust.ca_file}"\n'

    def settings(self, **more: Any) -> VmwareSettings:
        """Return settings that trust it."""
        return VmwareSettings(tls_ca_file=str(self.trust.ca_file), **more)

    def all(self, kind: Any) -> list[Object]:
        """Return all objects of a managed type."""
        return list(self.simulator.database.all(kind))

    def find(self, kind: Any, name: str) -> Object:
        """Return the object of a managed type with a name."""
        (found,) = [each for each in self.all(kind) if each["name"] == name]
        return found

    def vm(self, name: str = "vm-1") -> Object:
        """Return a VM as the simulator has it."""
        return self.find(vim.VirtualMachine, name)

    def calls(self) -> Counter[str]:
        """Return the calls since this was last asked, by method."""
        made = Counter(self.simulator.counts)
        self.simulator.counts.clear()
        return made


@contextlib.contextmanager
def running_host(
    trust: Trust, product: Product = VCENTER, simulator: Simulator | None = None, **options: Any
) -> Iterator[Host]:
    """Run a host until the block ends.

    :param options: of its simulator
    """
    simulator = simulator or Simulator(product, **options)
    with running(Server(simulator, server_context(trust.certificate))) as server:
        yield Host(simulator, server, trust)
    assert simulator.defects == [], "the simulator did what its own types do not allow"


@contextlib.contextmanager
def running_leases(
    host: Host, trust: Trust, *, name: str | None = None, digest: str | None = None
) -> Iterator[NfcServer]:
    """Serve the files of a host's leases until the block ends.

    :param trust: the certificate
    :param name: the host in the addresses. Default: as vCenter and ESXi have it
    :param digest: the thumbprint of the certificate. Default: the right one
    """
    name = name or ("127.0.0.1" if host.simulator.product.is_vcenter else "*")
    digest = thumbprint(trust.certificate) if digest is None else digest
    server = NfcServer(host.simulator, server_context(trust.certificate), host=name, thumbprint=digest)
    with running(server):
        yield server
