"""Pools, hosts, storages, networks, and what is in a guest."""

from collections.abc import Callable
from typing import Any

import pytest
from pyVmomi import vim

from simplestack import Conflict, EntityNotFound
from simplestack_vmware.hooks.disks import disk_info, disk_list
from simplestack_vmware.hooks.hosts import host_info, host_list
from simplestack_vmware.hooks.interfaces import network_interface_info, network_interface_list
from simplestack_vmware.hooks.media import media_info
from simplestack_vmware.hooks.networks import network_info, network_list
from simplestack_vmware.hooks.pools import pool_info
from simplestack_vmware.hooks.snapshots import snapshot_info, snapshot_list
from simplestack_vmware.hooks.storages import storage_info, storage_list
from simplestack_vmware.hooks.tags import tag_list
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simulators.vsphere.inventory import networks
from simulators.vsphere.schema import Long
from support.vsphere import Host

from .conftest import Connect

LISTS: list[Callable[[VmwareSession], Any]] = [pool_info, host_list, storage_list, network_list]
OF_GUESTS: list[Callable[[VmwareSession, str], Any]] = [
    disk_list,
    network_interface_list,
    media_info,
    snapshot_list,
    tag_list,
]
MIB = 1024**2


def test_the_pool_is_the_whole_inventory_or_the_cluster_of_the_settings(
    either: Host, log_in: Connect
) -> None:
    whole = pool_info(log_in(either))
    assert whole.id == either.all(vim.ServiceInstance)[0]["content"].about.instanceUuid
    assert (whole.master, whole.software_info["version"]) == ("127.0.0.1", "8.0.3")
    total = sum(host["hardware"].memorySize for host in either.all(vim.HostSystem)) // MIB
    assert 0 < whole.used_memory < whole.total_memory == total
    session = log_in(either, cluster="cluster-1")
    own = pool_info(session)
    assert own.id == either.find(vim.ClusterComputeResource, "cluster-1").id
    assert own.total_memory == total // 2
    assert [host.name for host in host_list(session)] == ["esx-11.example", "esx-12.example"]
    with pytest.raises(EntityNotFound, match="Cluster:nowhere"):
        pool_info(log_in(either, cluster="nowhere"))


def test_a_host_that_is_not_connected_does_not_count(vcenter: Host, session: VmwareSession) -> None:
    before = pool_info(session)
    host = vcenter.all(vim.HostSystem)[0]
    with vcenter.simulator.database.lock:
        host["runtime.connectionState"] = vim.HostSystem.ConnectionState.notResponding
    assert pool_info(session).total_memory == before.total_memory - host["hardware"].memorySize // MIB
    assert len(host_list(session)) == 4


def test_a_lone_host_has_the_address_of_the_request(esxi: Host, log_in: Connect) -> None:
    session = log_in(esxi)
    (host,) = host_list(session)
    assert host.address == "127.0.0.1"
    assert pool_info(session).id == esxi.all(vim.HostSystem)[0]["hardware"].systemInfo.uuid
    for network in network_list(session):
        assert network_info(session, network.id) == network
    for storage in storage_list(session):
        assert storage_info(session, storage.id) == storage


def test_each_is_found_by_id_and_by_name(either: Host, log_in: Connect) -> None:
    session = log_in(either)
    for host in host_list(session):
        assert host_info(session, host.id) == host_info(session, host.name) == host
    for storage in storage_list(session):
        assert storage_info(session, storage.id) == storage_info(session, storage.name) == storage
    for network in network_list(session):
        assert network_info(session, network.id) == network_info(session, network.name_label) == network
    for info, entity in ((host_info, "Host"), (storage_info, "Storage"), (network_info, "Network")):
        for unknown in ("nowhere", "vm-31", "", "..", "group-d1"):
            with pytest.raises(EntityNotFound, match=f"{entity}:"):
                info(session, unknown)


def test_storages_have_their_sizes_and_inaccessible_ones_are_not_listed(
    either: Host, log_in: Connect
) -> None:
    session = log_in(either)
    shared = next(each for each in storage_list(session) if each.name == "shared-1")
    summary = either.find(vim.Datastore, "shared-1")["summary"]
    assert shared.type == "VMFS"
    assert shared.size == summary.capacity / 1024**3
    assert shared.used_space == pytest.approx((summary.capacity - summary.freeSpace) / 1024**3)
    assert shared.allocated_space is not None
    assert shared.used_space is not None
    assert shared.allocated_space >= shared.used_space


def test_uplinks_are_no_networks_and_port_groups_show_switch_and_vlan(either: Host, log_in: Connect) -> None:
    found = {network.name_label: network for network in network_list(log_in(either))}
    assert found.keys() == {"VM Network", "production"}
    switch = either.find(vim.DistributedVirtualSwitch, "dvs-1")
    assert found["production"].other_config == {"switch": switch.id, "vlan": "100"}
    groups = either.all(vim.dvs.DistributedVirtualPortgroup)
    assert len(groups) == 2


def test_two_port_groups_of_one_name_are_409_with_ids(vcenter: Host, session: VmwareSession) -> None:
    database = vcenter.simulator.database
    with database.lock:
        folder = database.get(vcenter.find(vim.DistributedVirtualSwitch, "dvs-1")["parent"])
        second = networks.add_switch(database, "dvs-2", folder, vcenter.all(vim.HostSystem))
        twin = networks.add_distributed_port_group(database, "twin", folder, second, vlan=7)
        twin["name"] = "production"
    with pytest.raises(Conflict) as ambiguous:
        network_info(session, "production")
    assert twin.id in ambiguous.value.message
    assert network_info(session, twin.id).other_config == {"switch": second.id, "vlan": "7"}


def test_the_devices_of_a_guest_are_shown(either: Host, log_in: Connect) -> None:
    session = log_in(either)
    vm = either.vm("vm-1")
    with either.simulator.database.lock:
        *_, card = vm["config"].hardware.device
        card.macAddress = "00:50:56:8F:FF:FF"
        vm.touch()
    guest = vm["config.instanceUuid"]
    disks = disk_list(session, guest)
    assert [(disk.name, disk.number, disk.size) for disk in disks] == [
        ("Hard disk 1", "0:0", 8),
        ("Hard disk 2", "0:1", 2),
    ]
    assert disks[0].extra_info == "[shared-1] vm-1/vm-1.vmdk"
    assert disk_info(session, guest, disks[1].id) == disks[1]
    first, second = network_interface_list(session, guest)
    assert (first.network, second.network) == ("VM Network", "production")
    assert (first.number, second.number) == ("0", "1")
    assert second.id == second.mac == "00:50:56:8f:ff:ff"
    assert network_interface_info(session, guest, second.mac.upper()) == second
    assert media_info(session, guest).name is None
    assert snapshot_list(session, guest) == []
    with pytest.raises(EntityNotFound, match="Disk:9"):
        disk_info(session, guest, "9")
    with pytest.raises(EntityNotFound, match="NetworkInterface:"):
        network_interface_info(session, guest, "00:00:00:00:00:00")
    with pytest.raises(EntityNotFound, match="Snapshot:"):
        snapshot_info(session, guest, "snapshot-1")


def test_rates_connections_and_media_are_shown(vcenter: Host, session: VmwareSession) -> None:
    vm = vcenter.vm("vm-1")
    with vcenter.simulator.database.lock:
        for device in vm["config"].hardware.device:
            if isinstance(device, vim.vm.device.VirtualEthernetCard):
                device.resourceAllocation = vim.vm.device.VirtualEthernetCard.ResourceAllocation(
                    limit=Long(80),
                    reservation=Long(0),
                    share=vim.SharesInfo(shares=50, level="normal"),
                )
                device.connectable = vim.vm.device.VirtualDevice.ConnectInfo(
                    startConnected=False, connected=False, allowGuestControl=True
                )
            elif isinstance(device, vim.vm.device.VirtualCdrom):
                device.backing = vim.vm.device.VirtualCdrom.IsoBackingInfo(fileName="[isos] a%2fb.iso")
                device.connectable = vim.vm.device.VirtualDevice.ConnectInfo(
                    startConnected=True, connected=False, allowGuestControl=True
                )
        vm.touch()
    guest = vm["config.instanceUuid"]
    first, _ = network_interface_list(session, guest)
    assert (first.ratelimit, first.active) == (80_000_000, False)
    assert media_info(session, guest).name == "[isos] a%2fb.iso"  # paths are not escaped


def test_lists_and_what_is_in_a_guest_take_one_call(either: Host, log_in: Connect) -> None:
    session = log_in(either)
    guest = either.vm()["config.instanceUuid"]
    tag_list(session, guest)
    for read in LISTS:
        either.calls()
        read(session)
        assert either.calls() == {"RetrievePropertiesEx": 1}, read
    for read_guest in OF_GUESTS:
        either.calls()
        read_guest(session, guest)
        assert either.calls() == {"RetrievePropertiesEx": 1}, read_guest
