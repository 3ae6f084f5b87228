"""Views and searches of the vSphere simulator."""

from typing import Any

import pytest
from pyVmomi import vim, vmodl

from simulators.vsphere.inventory.entities import add_datacenter
from simulators.vsphere.simulator import Simulator
from simulators.vsphere_tests.clients import Client


def view(client: Client, container: Any, *kinds: Any, recursive: bool = True) -> list[str]:
    """Return the names of what a container view has."""
    made = client.content.viewManager.CreateContainerView(container, list(kinds), recursive)
    found = sorted(each.name for each in made.view)
    made.Destroy()
    return found


def test_a_container_view_has_all_in_it_each_once(client: Client) -> None:
    root = client.content.rootFolder
    assert view(client, root, vim.VirtualMachine) == ["debian-12", "shop-db", "vm-0", "vm-1", "vm-2"]
    assert view(client, root, vim.VirtualApp) == ["shop"]
    assert view(client, root, recursive=False) == ["DC0"]
    assert view(client, client.find(vim.ResourcePool, "shop"), vim.VirtualMachine) == ["shop-db"]
    assert view(client, client.find(vim.Folder, "servers")) == ["vm-1"]
    with pytest.raises(vmodl.fault.InvalidArgument):
        view(client, client.vm("vm-0"))


def test_a_container_view_follows_what_comes_and_goes(client: Client, simulator: Simulator) -> None:
    servers = client.find(vim.Folder, "servers")
    made = client.content.viewManager.CreateContainerView(servers, [], True)
    folder = servers.CreateFolder("more")
    assert folder in made.view
    made.Destroy()
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        made.Destroy()


def test_a_list_view_has_what_it_is_given(client: Client, vm: Any) -> None:
    host = client.host()
    made = client.content.viewManager.CreateListView([vm])
    assert made.view == [vm]
    made.ModifyListView([host], [vm])
    assert made.view == [host]
    other = client.content.viewManager.CreateListViewFromView(made)
    made.ResetListView([vm])
    assert (made.view, other.view) == ([vm], [host])
    other.ResetListViewFromView(made)
    assert other.view == [vm]


def test_vms_are_found_by_each_uuid(client: Client, simulator: Simulator, vm: Any) -> None:
    index = client.content.searchIndex
    config = vm.config
    assert index.FindAllByUuid(None, config.instanceUuid, True, True) == [vm]
    assert index.FindAllByUuid(None, config.uuid.upper(), True, False) == [vm]
    assert index.FindAllByUuid(None, config.uuid, True) == [vm]
    assert index.FindAllByUuid(None, config.uuid, True, True) == []
    other = client.vm("vm-1")
    simulator.database.get(vim.VirtualMachine(other._moId))["config.uuid"] = config.uuid
    assert sorted(each._moId for each in index.FindAllByUuid(None, config.uuid, True, False)) == sorted(
        [vm._moId, other._moId]
    )
    assert index.FindByUuid(None, config.instanceUuid, True, True) == vm
    assert index.FindByUuid(None, "nothing", True, True) is None


def test_vms_are_found_in_their_datacenter_also_in_a_vapp(client: Client, simulator: Simulator) -> None:
    datacenter = client.find(vim.Datacenter, "DC0")
    root = simulator.database.get(vim.Folder(client.content.rootFolder._moId))
    other = vim.Datacenter(add_datacenter(simulator.database, "DC1", root).id, client.stub)
    for name in ("vm-1", "shop-db"):
        vm = client.vm(name)
        uuid = vm.config.instanceUuid
        assert client.content.searchIndex.FindAllByUuid(datacenter, uuid, True, True) == [vm]
        assert client.content.searchIndex.FindAllByUuid(other, uuid, True, True) == []


def test_hosts_are_found_by_uuid(client: Client) -> None:
    host = client.host()
    uuid = host.hardware.systemInfo.uuid
    assert client.content.searchIndex.FindAllByUuid(None, uuid, False, False) == [host]


def test_objects_are_found_by_path(client: Client) -> None:
    index = client.content.searchIndex
    assert index.FindByInventoryPath("DC0/vm/servers/vm-1") == client.vm("vm-1")
    assert index.FindByInventoryPath("/DC0/host/cluster-1/Resources/production").name == "production"
    assert index.FindByInventoryPath("DC0/vm/nothing/vm-1") is None
    assert index.FindChild(client.find(vim.Folder, "servers"), "vm-1") == client.vm("vm-1")


def test_vms_are_found_by_their_file(client: Client, vm: Any) -> None:
    index, datacenter = client.content.searchIndex, client.find(vim.Datacenter, "DC0")
    assert index.FindByDatastorePath(datacenter, "[shared-1] vm-0/vm-0.vmx") == vm
    assert index.FindByDatastorePath(datacenter, "[shared-1] vm-0/nothing.vmx") is None


def test_vms_are_found_by_what_their_tools_tell(client: Client, simulator: Simulator, vm: Any) -> None:
    stored = simulator.database.get(vim.VirtualMachine(vm._moId))
    stored["guest.ipAddress"], stored["guest.hostName"] = "192.0.2.7", "zero"
    index = client.content.searchIndex
    assert index.FindAllByIp(None, "192.0.2.7", True) == [vm]
    assert index.FindAllByDnsName(client.find(vim.Datacenter, "DC0"), "zero", True) == [vm]
    assert index.FindAllByIp(None, "192.0.2.8", True) == []


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("a/b", "a%2fb"),
        ("a\\b", "a%5cb"),
        ("a%b", "a%25b"),
        ("a%2fb", "a%2fb"),
        ("a%25b", "a%25b"),
        ("ä", "ä"),
    ],
)
def test_names_are_stored_escaped(client: Client, given: str, stored: str) -> None:
    folder = client.find(vim.Folder, "servers").CreateFolder(given)
    assert folder.name == stored
    with pytest.raises(vim.fault.DuplicateName) as raised:
        client.find(vim.Folder, "servers").CreateFolder(given)
    assert (raised.value.name, raised.value.object) == (stored, folder)


@pytest.mark.parametrize("name", ["", "x" * 81])
def test_a_name_has_1_to_80_characters(client: Client, name: str) -> None:
    with pytest.raises(vim.fault.InvalidName):
        client.find(vim.Folder, "servers").CreateFolder(name)
