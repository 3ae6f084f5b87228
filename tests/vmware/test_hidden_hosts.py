"""Users who may read their guests, networks and datastores, and none of the hosts."""

import pytest
from pyVmomi import vim

from simplestack import DiskCreate, EntityNotFound, NetworkInterfaceCreate, PermissionDenied
from simplestack_vmware.hooks.disks import disk_create
from simplestack_vmware.hooks.guests import guest_clone
from simplestack_vmware.hooks.guests_create import guest_create
from simplestack_vmware.hooks.interfaces import network_interface_create
from simplestack_vmware.hooks.media import media_info, media_mount
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simulators.vsphere.sessions import READING, Account
from support.vsphere import PASSWORD, Host

from .conftest import Connect
from .created import COPY, EMPTY
from .deletions import id_of

OPERATING = READING | {
    "VirtualMachine.Config.AddNewDisk",
    "VirtualMachine.Config.AddRemoveDevice",
    "VirtualMachine.Config.EditDevice",
    "VirtualMachine.Interact.SetCDMedia",
    "VirtualMachine.Interact.DeviceConnection",
    "Datastore.AllocateSpace",
    "Datastore.Browse",
    "Network.Assign",
}


@pytest.fixture
def tenant(vcenter: Host, log_in: Connect) -> VmwareSession:
    hidden = {each.id: frozenset[str]() for each in vcenter.all(vim.HostSystem)}
    vcenter.simulator.sessions.accounts["tenant"] = Account(PASSWORD, OPERATING, hidden)
    return log_in(vcenter, "tenant")


@pytest.mark.parametrize("network", ["VM Network", "production"])
def test_an_interface_is_added(vcenter: Host, tenant: VmwareSession, network: str) -> None:
    made = network_interface_create(tenant, id_of(vcenter), NetworkInterfaceCreate(network=network))
    assert made.network == network
    with pytest.raises(EntityNotFound, match="Network:nowhere"):
        network_interface_create(tenant, id_of(vcenter), NetworkInterfaceCreate(network="nowhere"))


def test_a_disk_is_added_in_a_storage(vcenter: Host, tenant: VmwareSession) -> None:
    made = disk_create(tenant, id_of(vcenter), DiskCreate(size=1, storage_id="shared-1"))
    assert made.size == 1


@pytest.mark.parametrize("name", ["[isos] debian-12.iso", "debian-12.iso"])
def test_an_iso_image_is_inserted(vcenter: Host, tenant: VmwareSession, name: str) -> None:
    media_mount(tenant, id_of(vcenter), name)
    assert media_info(tenant, id_of(vcenter)).name == "[isos] debian-12.iso"


def test_a_new_guest_needs_a_host(vcenter: Host, tenant: VmwareSession) -> None:
    for wanted in (EMPTY, COPY):
        with pytest.raises(PermissionDenied, match="may not read any host"):
            guest_create(tenant, wanted)
    with pytest.raises(PermissionDenied, match="may not read any host"):
        guest_clone(tenant, id_of(vcenter), "copy", None)
    assert vcenter.calls().keys().isdisjoint({"CreateVM_Task", "CloneVM_Task"})
