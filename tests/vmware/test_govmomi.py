"""The plugin on govmomi's simulator, an implementation that nobody here wrote.

It is lenient, and lacks much: the tests here show that reads, tasks and tags work with another server's XML.
"""

import pytest

from simplestack import EntityNotFound, GuestState, InvalidState, is_uuid
from simplestack_vmware.hooks.disks import disk_info, disk_list
from simplestack_vmware.hooks.guests import guest_info, guest_list
from simplestack_vmware.hooks.hosts import host_info, host_list
from simplestack_vmware.hooks.interfaces import network_interface_info, network_interface_list
from simplestack_vmware.hooks.media import media_info
from simplestack_vmware.hooks.networks import network_info, network_list
from simplestack_vmware.hooks.pools import pool_info
from simplestack_vmware.hooks.power import (
    guest_reboot,
    guest_resume,
    guest_shutdown,
    guest_start,
    guest_suspend,
)
from simplestack_vmware.hooks.snapshots import snapshot_info, snapshot_list
from simplestack_vmware.hooks.storages import storage_info, storage_list
from simplestack_vmware.hooks.tags import tag_create, tag_delete, tag_list
from simplestack_vmware.vsphere.inventory.records import VmState
from simplestack_vmware.vsphere.sessions.lookups import find_guest
from simplestack_vmware.vsphere.sessions.session import VmwareSession

ALL = frozenset({"cpus", "memory", "hdd", "paravirtualized", "tools_up_to_date", "ip", "host"})


def test_the_pool_and_what_is_in_it_are_shown(govmomi: VmwareSession) -> None:
    pool = pool_info(govmomi)
    assert is_uuid(pool.id)
    assert 0 < pool.used_memory < pool.total_memory
    assert pool.software_info["version"] == "6.5.0"
    for listed, info in ((host_list, host_info), (storage_list, storage_info), (network_list, network_info)):
        entities = listed(govmomi)
        assert entities
        for entity in entities:
            assert info(govmomi, entity.id) == entity


def test_guests_are_listed_and_shown_with_their_devices(govmomi: VmwareSession) -> None:
    guests = guest_list(govmomi, ALL)
    assert len(guests) >= 2
    guest = guests[0]
    assert (guest.cpus, guest.memory, guest.state) == (1, 32, GuestState.STARTED)
    assert guest.host in {host.name for host in host_list(govmomi)}
    assert guest_info(govmomi, guest.id) == guest_info(govmomi, guest.name) == guest
    (disk,) = disk_list(govmomi, guest.id)
    assert disk.size == guest.hdd
    assert disk_info(govmomi, guest.id, disk.id) == disk
    (interface,) = network_interface_list(govmomi, guest.id)
    assert network_interface_info(govmomi, guest.id, interface.mac.upper()) == interface
    assert interface.network in {network.name_label for network in network_list(govmomi)}
    assert media_info(govmomi, guest.id).name is None
    with pytest.raises(EntityNotFound, match="Guest:nobody not found"):
        guest_info(govmomi, "nobody")


def test_power_changes_when_asked_for(govmomi: VmwareSession) -> None:
    guest = guest_list(govmomi, frozenset({"id"}))[0].id

    def state() -> GuestState:
        return guest_info(govmomi, guest).state

    with pytest.raises(InvalidState):
        guest_start(govmomi, guest)
    guest_suspend(govmomi, guest)
    assert state() == GuestState.PAUSED
    guest_resume(govmomi, guest)
    guest_reboot(govmomi, guest, force=True)
    assert state() == GuestState.STARTED
    guest_shutdown(govmomi, guest, force=True)
    assert state() == GuestState.STOPPED
    guest_start(govmomi, guest)
    guest_shutdown(govmomi, guest, force=False)
    assert state() == GuestState.STOPPED


def test_tags_are_lines_of_the_notes(govmomi: VmwareSession) -> None:
    guest = guest_list(govmomi, frozenset({"id"}))[0].id
    assert tag_create(govmomi, guest, "web ü <&>") == ["web ü <&>"]
    assert tag_create(govmomi, guest, "blue") == ["blue", "web ü <&>"]
    tag_delete(govmomi, guest, "web ü <&>")
    # That no notes are left is not tested here: govmomi's simulator takes an empty text for an unset one.
    assert tag_list(govmomi, guest) == ["blue"]
    with pytest.raises(EntityNotFound, match="Tag:web"):
        tag_delete(govmomi, guest, "web")


def test_snapshots_of_any_depth_are_shown_oldest_first(govmomi: VmwareSession) -> None:
    guest = guest_list(govmomi, frozenset({"id"}))[0].id
    vm = govmomi.vm(find_guest(govmomi, guest, VmState))
    for number in range(30):
        govmomi.tasks.run(vm.CreateSnapshot_Task, f"s{number}", f"made for {number}", False, False)
    snapshots = snapshot_list(govmomi, guest)
    assert [snapshot.name for snapshot in snapshots] == [f"s{number}" for number in range(30)]
    assert snapshots[2].path == "s0/s1/s2"
    assert snapshots[0].state == "STARTED"
    assert len({snapshot.id for snapshot in snapshots}) == 30
    assert snapshot_info(govmomi, guest, snapshots[7].id) == snapshots[7]
    assert snapshot_info(govmomi, guest, "made for 7") == snapshots[7]
