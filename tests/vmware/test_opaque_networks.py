"""Networks that others than vSphere manage, such as segments of NSX: opaque networks."""

from typing import Any

import pytest
from pyVmomi import vim

from simplestack import (
    Conflict,
    GuestCreate,
    InvalidArguments,
    NetworkCreate,
    NetworkInterfaceCreate,
    NetworkInterfaceUpdate,
    NewNetworkInterface,
)
from simplestack.appliances import ApplianceInterface
from simplestack_vmware.hooks.guests import guest_clone
from simplestack_vmware.hooks.guests_create import VmwareGuestCreate, guest_create
from simplestack_vmware.hooks.interfaces import (
    network_interface_create,
    network_interface_list,
    network_interface_update,
)
from simplestack_vmware.hooks.networks import network_info, network_list, network_vlan_create
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simulators.vsphere.database import Object
from simulators.vsphere.inventory import networks
from simulators.vsphere.nfc_server import NfcServer
from support.vsphere import Host

from .conftest import Connect
from .test_disks import devices, id_of
from .uploads import FIRST, described, disk, load, packed

Card = vim.vm.device.VirtualEthernetCard


def add_segment(host: Host, name: str = "segment/1") -> Object:
    """Add a network of NSX to all hosts."""
    database = host.simulator.database
    with database.lock:
        folder = database.get(host.find(vim.Network, "VM Network")["parent"])
        return networks.add_opaque_network(database, name, folder, host.all(vim.HostSystem))


def backings(host: Host, name: str) -> list[Any]:
    """Return the backings of a VM's cards in opaque networks."""
    found = [card.backing for card in devices(host.vm(name), Card)]
    return [each for each in found if isinstance(each, Card.OpaqueNetworkBackingInfo)]


def names(session: VmwareSession, guest: str) -> list[str | None]:
    """Return the networks of a guest's interfaces."""
    return [interface.network for interface in network_interface_list(session, guest)]


def test_an_opaque_network_is_listed_and_found(either: Host, log_in: Connect) -> None:
    session, segment = log_in(either), add_segment(either)
    found = {network.name_label: network for network in network_list(session)}
    assert found.keys() == {"VM Network", "production", "segment/1"}
    assert network_info(session, "segment/1") == network_info(session, segment.id) == found["segment/1"]


def test_an_interface_in_an_opaque_network_is_shown_with_its_name(either: Host, log_in: Connect) -> None:
    session, segment = log_in(either), add_segment(either)
    add_segment(either, "segment/2")
    vm = either.vm("vm-1")
    with either.simulator.database.lock:
        first, *_ = devices(vm, Card)
        first.backing = networks_backing(segment)
        vm["network"] = [segment.ref, *vm["network"]]
        vm.touch()
    assert names(session, id_of(either)) == ["segment/1", "production"]


def networks_backing(segment: Object) -> Any:
    """Return what a card in an opaque network has."""
    summary = segment["summary"]
    return Card.OpaqueNetworkBackingInfo(
        opaqueNetworkId=summary.opaqueNetworkId, opaqueNetworkType=summary.opaqueNetworkType
    )


def test_an_interface_is_added_to_an_opaque_network_and_moved_out_and_in(
    either: Host, log_in: Connect
) -> None:
    session, segment = log_in(either), add_segment(either)
    guest = id_of(either)
    made = network_interface_create(session, guest, NetworkInterfaceCreate(network="segment/1"))
    assert made.network == "segment/1"
    (backing,) = backings(either, "vm-1")
    assert backing.opaqueNetworkId == segment["summary"].opaqueNetworkId
    for network in ("production", "segment/1"):
        changes = NetworkInterfaceUpdate(network=network)
        assert network_interface_update(session, guest, made.id, changes).network == network


def test_guests_are_created_and_copied_in_an_opaque_network(host: Host, log_in: Connect) -> None:
    session = log_in(host)
    add_segment(host)
    wanted = VmwareGuestCreate(
        name="new", memory=64, network_interfaces=[NewNetworkInterface(network="segment/1")]
    )
    assert isinstance(wanted, GuestCreate)
    made = guest_create(session, wanted)
    assert names(session, made.id) == ["segment/1"]
    copied = guest_clone(session, made.id, "copy", None)
    assert names(session, copied.id) == ["segment/1"]


@pytest.mark.parametrize("query", [{}, {"network": ["segment/1"]}])
def test_an_image_is_imported_into_an_opaque_network(
    host: Host, leases: NfcServer, log_in: Connect, disks: dict[str, bytes], query: dict[str, Any]
) -> None:
    session = log_in(host)
    add_segment(host)
    cards = (ApplianceInterface(network="segment/1", model="vmxnet3"),)
    image = packed(described(disk(1, FIRST), interfaces=cards), {"disk-1.vmdk": disks["disk-1.vmdk"]})
    assert names(session, load(session, image, **query).id) == ["segment/1"]
    assert host.simulator.leases.held() == []


def test_an_opaque_network_whose_summary_is_hidden_is_409(vcenter: Host, session: VmwareSession) -> None:
    segment = add_segment(vcenter)
    with vcenter.simulator.database.lock:
        segment["summary"] = vim.Network.Summary(name="segment/1", accessible=True)
    with pytest.raises(Conflict, match="may not read the summary of network 'segment/1'"):
        network_interface_create(session, id_of(vcenter), NetworkInterfaceCreate(network="segment/1"))


def test_no_vlan_is_created_beside_an_opaque_network(vcenter: Host, session: VmwareSession) -> None:
    add_segment(vcenter)
    wanted = NetworkCreate(name="vlan-7", vlan=7, from_network="segment/1")
    with pytest.raises(InvalidArguments, match="not on a switch of vSphere's own"):
        network_vlan_create(session, wanted)
