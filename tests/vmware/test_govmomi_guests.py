"""Guests that are created and cloned on govmomi's simulator, an implementation that nobody here wrote."""

import pytest
from msgspec.structs import replace

from simplestack import CloudInit, Conflict, GuestState, NewDisk, NewNetworkInterface
from simplestack_vmware.hooks.disks import disk_list
from simplestack_vmware.hooks.guests import guest_clone, guest_info, guest_list
from simplestack_vmware.hooks.guests_create import VmwareGuestCreate, guest_create
from simplestack_vmware.hooks.interfaces import network_interface_list
from simplestack_vmware.hooks.networks import network_list
from simplestack_vmware.vsphere.sessions.session import VmwareSession

NEW = VmwareGuestCreate(name="new", memory=192, cpus=2, disks=[NewDisk(size=1.5), NewDisk(size=1)])


def test_a_guest_is_created_and_started(govmomi: VmwareSession) -> None:
    network = network_list(govmomi)[0]
    wanted = replace(
        NEW,
        network_interfaces=[NewNetworkInterface(network=network.id)],
        user_data="#cloud-config\n",
        start=True,
    )
    guest = guest_create(govmomi, wanted)
    assert (guest.name, guest.memory, guest.cpus, guest.hdd, guest.state) == ("new", 192, 2, 2.5, "STARTED")
    assert [disk.size for disk in disk_list(govmomi, guest.id)] == [1.5, 1]
    assert [each.network for each in network_interface_list(govmomi, guest.id)] == [network.name_label]
    with pytest.raises(Conflict, match="has the name"):
        guest_create(govmomi, NEW)


def test_a_guest_is_cloned(govmomi_vcenter: VmwareSession) -> None:
    original = guest_list(govmomi_vcenter, frozenset({"id", "name", "state"}))[0]
    made = guest_clone(govmomi_vcenter, original.id, "copy", CloudInit(hostname="copy"))
    assert (made.name, made.state) == ("copy", GuestState.STOPPED)
    assert made.id != original.id
    assert made.hdd == guest_info(govmomi_vcenter, original.id).hdd
