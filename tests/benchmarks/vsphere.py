"""Simulated vCenters in processes of their own, a disk for their guests, and leases without the service."""

import contextlib
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pyVim.connect import SmartConnect

from benchmarks.simulated_hosts import SimulatedHost, port_in, running_simulator
from simplestack import Credentials
from simplestack.appliances import Appliance, ApplianceDisk, write_descriptor
from simplestack.sessions.targets import AllowList, Target
from simplestack_vmware.session import connect, disconnect
from simplestack_vmware.settings import VmwareSettings
from simplestack_vmware.vsphere.guests.placement import Wishes, choose_place
from simplestack_vmware.vsphere.guests.topology import Topology
from simplestack_vmware.vsphere.sessions.lookups import find_guest
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simplestack_vmware.vsphere.transfer.exporting import VmExport
from simplestack_vmware.vsphere.transfer.import_specs import specify
from simplestack_vmware.vsphere.transfer.leases import Lease
from simulators.tls import make_trust
from simulators.vsphere import vmdk
from simulators.vsphere.products import VCENTER
from support.vsphere import PASSWORD, administrator
from vmware.counterparts import vcsim as counterpart

USER = administrator(VCENTER)
DISK_NAME = "disk-1.vmdk"
#: How many pieces of a disk differ. None of them can be compressed.
_PIECES = 256
#: Hosts and clusters of vcsim, with the same number of VMs each. It takes long for many VMs in one.
_VCSIM_PLACES = 50


@dataclass(frozen=True)
class Host(SimulatedHost):
    """A simulated vCenter."""

    HYPERVISOR: ClassVar[str] = "vmware"

    user: str = USER

    @contextlib.contextmanager
    def session(self) -> Iterator[VmwareSession]:
        """Log in until the block ends."""
        target = AllowList(["127.0.0.1"]).check(Target("127.0.0.1", self.port))
        settings = VmwareSettings(tls_ca_file=str(self.ca_file))
        session = connect(target, Credentials(self.user, PASSWORD), settings)
        try:
            yield session
        finally:
            disconnect(session)

    def by_sdk(self) -> Any:
        """Return pyvmomi's content of the service, logged in as scripts do it."""
        service = SmartConnect(  # type: ignore[no-untyped-call]  # pyVim has no types
            host="127.0.0.1", port=self.port, user=self.user, pwd=PASSWORD, sslContext=self.tls
        )
        return service.RetrieveContent()


@contextlib.contextmanager
def vsphere(folder: Path, *options: str) -> Iterator[Host]:
    """Run a simulated vCenter until the block ends."""
    with running_simulator("simulators.vsphere", folder, *options) as printed:
        yield Host(port_in(printed["server"]), Path(printed["ca"]))


@contextlib.contextmanager
def vcsim(folder: Path, vms: int) -> Iterator[Host]:
    """Run govmomi's simulator of a vCenter until the block ends. Its VMs have a disk each.

    :param vms: a multiple of 50
    """
    trust = make_trust(folder)
    hosts, of_each = _VCSIM_PLACES - 1, vms // _VCSIM_PLACES
    with counterpart.running(trust.certificate, hosts=hosts, vms=of_each) as port:
        yield Host(port, trust.ca_file, counterpart.USER)


def make_disk(path: Path, size_bytes: int) -> None:
    """Write a stream-optimized VMDK that is full of data."""
    pieces = [zlib.compress(os.urandom(vmdk.GRAIN_BYTES), 1) for _ in range(_PIECES)]
    grains = {number: pieces[number % _PIECES] for number in range(size_bytes // vmdk.GRAIN_BYTES)}
    with path.open("wb") as file:
        for piece in vmdk.write(size_bytes, grains):
            file.write(piece)


def descriptor(size_bytes: int) -> bytes:
    """Return the descriptor of a guest with the disk."""
    disk = ApplianceDisk(
        href=DISK_NAME, capacity_bytes=size_bytes, format="vmdk", bus="scsi", controller="virtualscsi"
    )
    return write_descriptor(Appliance(name="imported", memory_mib=64, cpus=1, disks=(disk,)))


def begin_export(session: VmwareSession, guest_id: str) -> Lease:
    """Begin an export without the service."""
    return Lease.begin(session, session.vm(find_guest(session, guest_id, VmExport)).ExportVm)


def begin_import(session: VmwareSession, size_bytes: int) -> Lease:
    """Begin an import without the service."""
    place = choose_place(Topology.read(session), Wishes())
    made = specify(session, descriptor(size_bytes).decode(), "direct", place, [])
    pool, folder = session.api.object(place.pool), session.api.object(place.folder)
    return Lease.begin(session, pool.ImportVApp, made.spec, folder, session.api.object(place.host))
