"""Port groups of hosts and of distributed switches in the vSphere simulator."""

from typing import Any

import pytest
from pyVmomi import vim, vmodl

from simulators.vsphere.products import ESXI, VCENTER
from simulators.vsphere_tests.clients import Client
from simulators.vsphere_tests.waiting import error, result

Group = vim.host.PortGroup.Specification
Port = vim.dvs.VmwareDistributedVirtualSwitch.VmwarePortConfigPolicy
Vlan = vim.dvs.VmwareDistributedVirtualSwitch.VlanIdSpec
DVSpec = vim.dvs.DistributedVirtualPortgroup.ConfigSpec


def group(name: str = "dmz", vlan: int = 7, vswitch: str = "vSwitch0") -> Any:
    return Group(name=name, vlanId=vlan, vswitchName=vswitch, policy=vim.host.NetworkPolicy())


def distributed(name: str | None = "dmz", vlan: int = 7, **values: Any) -> Any:
    port = Port(vlan=Vlan(inherited=False, vlanId=vlan))
    return DVSpec(name=name, defaultPortConfig=port, **{"type": "earlyBinding", **values})


@pytest.fixture
def systems(client: Client) -> list[Any]:
    """Give the network systems of the hosts."""
    return [config.networkSystem for config in client.values(vim.HostSystem, "configManager")]


@pytest.fixture
def switch(client: Client) -> Any:
    return client.find(vim.DistributedVirtualSwitch, "dvs-1")


@pytest.mark.parametrize("product", [ESXI])
def test_a_lone_host_gains_and_loses_a_port_group(client: Client, systems: list[Any]) -> None:
    host = client.host()
    systems[0].AddPortGroup(group())
    (made,) = [each for each in host.network if each.name == "dmz"]
    assert made in host.parent.parent.parent.networkFolder.childEntity
    assert {each._moId for each in host.network} == {"HaNetwork-VM Network", "HaNetwork-dmz"}
    assert [each.spec.vlanId for each in systems[0].networkInfo.portgroup] == [0, 7]
    assert len(systems[0].networkInfo.vswitch[0].portgroup) == 2
    systems[0].RemovePortGroup("dmz")
    assert [each.name for each in host.network] == ["VM Network"]
    assert len(systems[0].networkInfo.vswitch[0].portgroup) == 1
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        _ = made.name


def test_port_groups_of_one_name_are_one_network(client: Client, systems: list[Any]) -> None:
    for system in systems[:2]:
        system.AddPortGroup(group("a/b"))
    network = client.find(vim.Network, "a%2fb")
    assert len(network.host) == 2
    systems[0].RemovePortGroup("a/b")
    assert len(network.host) == 1
    with pytest.raises(vim.fault.NotFound):
        systems[0].RemovePortGroup("a/b")


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        (group("VM Network"), vim.fault.AlreadyExists),
        (group(vswitch="vSwitch9"), vim.fault.NotFound),
        (group(vlan=4_096), vmodl.fault.InvalidArgument),
        (group(vlan=-1), vmodl.fault.InvalidArgument),
        (group(""), vmodl.fault.InvalidArgument),
    ],
)
def test_a_port_group_that_cannot_be_added(client: Client, systems: list[Any], spec: Any, fault: Any) -> None:
    before = client.values(vim.Network, "name")
    with pytest.raises(fault):
        systems[0].AddPortGroup(spec)
    assert client.values(vim.Network, "name") == before
    assert len(systems[0].networkInfo.portgroup) == 1


@pytest.mark.parametrize("product", [VCENTER, ESXI])
def test_a_port_group_changes_its_vlan(client: Client, systems: list[Any]) -> None:
    network = client.find(vim.Network, "VM Network")
    systems[0].UpdatePortGroup("VM Network", group("VM Network", 9))
    assert [each.spec.vlanId for each in systems[0].networkInfo.portgroup] == [9]
    assert client.find(vim.Network, "VM Network") == network
    assert len(network.host) == len(systems)


@pytest.mark.parametrize("product", [VCENTER, ESXI])
def test_a_port_group_is_renamed(client: Client, systems: list[Any]) -> None:
    for system in systems:
        system.AddPortGroup(group())
    before = client.find(vim.Network, "dmz")
    systems[0].UpdatePortGroup("dmz", group("dmz-2"))
    names = [each.spec.name for each in systems[0].networkInfo.portgroup]
    assert names == ["VM Network", "dmz-2"]
    keys = [each.key for each in systems[0].networkInfo.portgroup]
    assert list(systems[0].networkInfo.vswitch[0].portgroup) == keys
    made = client.find(vim.Network, "dmz-2")
    assert len(made.host) == 1
    if len(systems) > 1:
        assert len(before.host) == len(systems) - 1
    else:
        assert "dmz" not in client.values(vim.Network, "name")
    systems[0].AddPortGroup(group())
    systems[0].RemovePortGroup("dmz-2")


@pytest.mark.parametrize(
    ("name", "spec", "fault"),
    [
        ("nothing", group("nothing"), vim.fault.NotFound),
        ("dmz", group("VM Network"), vim.fault.AlreadyExists),
        ("dmz", group(vswitch="vSwitch9"), vim.fault.NotFound),
        ("dmz", group(vlan=4_096), vmodl.fault.InvalidArgument),
        ("dmz", group(""), vmodl.fault.InvalidArgument),
        ("VM Network", group("other"), vim.fault.HostConfigFault),
    ],
)
def test_a_port_group_that_cannot_be_changed(
    client: Client, systems: list[Any], name: str, spec: Any, fault: Any
) -> None:
    systems[0].AddPortGroup(group())
    names = client.values(vim.Network, "name")
    with pytest.raises(fault):
        systems[0].UpdatePortGroup(name, spec)
    assert [(each.spec.name, each.spec.vlanId) for each in systems[0].networkInfo.portgroup] == [
        ("VM Network", 0),
        ("dmz", 7),
    ]
    assert client.values(vim.Network, "name") == names


def test_vlan_4095_is_for_trunks(systems: list[Any]) -> None:
    systems[0].AddPortGroup(group(vlan=4_095))


def test_a_port_group_in_use_stays(client: Client, systems: list[Any]) -> None:
    with pytest.raises(vim.fault.ResourceInUse):
        systems[0].RemovePortGroup("VM Network")
    assert len(client.find(vim.Network, "VM Network").host) == len(systems)


def test_a_distributed_port_group_lives(client: Client, switch: Any) -> None:
    made = result(client, switch.CreateDVPortgroup_Task(distributed()))
    assert made in switch.portgroup
    assert made in switch.parent.childEntity
    assert (made.config.defaultPortConfig.vlan.vlanId, made.key) == (7, made._moId)
    assert len(made.host) == len(switch.config.host)
    spec = distributed("dmz-2", 8, configVersion=made.config.configVersion)
    result(client, made.ReconfigureDVPortgroup_Task(spec))
    assert (made.name, made.config.name, made.config.defaultPortConfig.vlan.vlanId) == ("dmz-2", "dmz-2", 8)
    assert isinstance(error(client, made.ReconfigureDVPortgroup_Task(spec)), vim.fault.ConcurrentAccess)
    result(client, made.Destroy_Task())
    assert "dmz-2" not in client.values(vim.Network, "name")


def test_distributed_port_groups_are_added_all_or_none(client: Client, switch: Any) -> None:
    task = switch.AddDVPortgroup_Task([distributed("a"), distributed("production")])
    assert isinstance(error(client, task), vim.fault.DuplicateName)
    assert "a" not in client.values(vim.Network, "name")
    result(client, switch.AddDVPortgroup_Task([distributed("a"), distributed("b")]))
    assert {"a", "b"} <= set(client.values(vim.Network, "name"))


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        (distributed(vlan=4_095), vmodl.fault.InvalidArgument),
        (distributed(type="other"), vmodl.fault.InvalidArgument),
        (distributed(None), vim.fault.InvalidName),
        (distributed("VM Network"), vim.fault.DuplicateName),
    ],
)
def test_a_distributed_port_group_that_cannot_be_made(
    client: Client, switch: Any, spec: Any, fault: Any
) -> None:
    assert isinstance(error(client, switch.CreateDVPortgroup_Task(spec)), fault)


@pytest.mark.parametrize("name", ["production", "dvs-1-DVUplinks"])
def test_a_distributed_port_group_in_use_stays(client: Client, name: str) -> None:
    found = client.find(vim.dvs.DistributedVirtualPortgroup, name)
    assert isinstance(error(client, found.Destroy_Task()), vim.fault.ResourceInUse)
    assert found.name == name


def test_a_reader_may_not_change_networks(connect: Any) -> None:
    reader = connect("reader@vsphere.local")
    with pytest.raises(vim.fault.NoPermission):
        reader.host().configManager.networkSystem.RemovePortGroup("VM Network")
    found = reader.find(vim.dvs.DistributedVirtualPortgroup, "production")
    with pytest.raises(vim.fault.NoPermission):
        found.Destroy_Task()
