"""What the vSphere simulator begins with."""

from collections.abc import Iterator
from typing import Any

import pytest
from pyVmomi import vim, vmodl

from simulators.vsphere.database import Object
from simulators.vsphere.inventory.devices import cards_of
from simulators.vsphere.inventory.guests import UnreadConfig
from simulators.vsphere.inventory.networks import add_port_group
from simulators.vsphere.products import ESXI, VCENTER, Product
from simulators.vsphere.schema import DataObject, MethodFault, fields
from simulators.vsphere.simulator import Simulator
from simulators.vsphere_tests.clients import Client
from simulators.vsphere_tests.devices import add, change, new_card
from simulators.vsphere_tests.waiting import error, result

PRODUCTS = pytest.mark.parametrize("product", [VCENTER, ESXI], ids=["vcenter", "esxi"])


def unset(value: Any, where: str) -> Iterator[str]:
    """Yield the required properties that a value does not have."""
    if isinstance(value, list):
        for item in value:
            yield from unset(item, where)
    elif isinstance(value, DataObject) and not isinstance(value, MethodFault):
        kind: Any = type(value)
        for field in fields(kind):
            own = getattr(value, field.name)
            if own is None and not field.is_optional:
                yield f"{where}.{field.name}"
            else:
                yield from unset(own, f"{where}.{field.name}")


@PRODUCTS
def test_all_properties_have_what_their_types_require(product: Product) -> None:
    simulator = Simulator(product)
    found: set[str] = set()
    for each in simulator.database.all(vim.ManagedEntity):
        for field in fields(each.kind):
            where = f"{each.kind._wsdlName}.{field.name}"
            value = each[field.name]
            if value is None and not field.is_optional:
                found.add(where)
            found |= set(unset(value, where))
    assert found == set()


@PRODUCTS
def test_all_values_are_of_the_types_of_their_properties(product: Product) -> None:
    """Check that they are what pyVmomi's own constructors would accept."""
    for each in Simulator(product).database.all(vim.ManagedEntity):
        for field in fields(each.kind):
            value = each[field.name]
            for item in value if field.is_array else [value]:
                if item is not None and issubclass(field.type, DataObject):
                    assert isinstance(item, field.type), (each.kind, field)
                    check(item)


def check(value: Any) -> None:
    kind: Any = type(value)
    for field in fields(kind):
        own = getattr(value, field.name)
        if own is not None and not (field.is_array and not own):
            setattr(value, field.name, own)
        for item in own if field.is_array else [own]:
            if isinstance(item, DataObject):
                check(item)


def test_10_000_vms_are_there_soon_and_have_their_own_uuids(product: Product) -> None:
    simulator = Simulator(product, vms=10_000)
    vms = list(simulator.database.all(vim.VirtualMachine))
    assert len(vms) == 10_002
    assert len({vm["config.instanceUuid"] for vm in vms}) == len(vms)
    first, last = vms[0], vms[9_999]
    assert {type(vm.values["config"]).__name__ for vm in vms} == {"UnreadConfig"}
    assert first["config.hardware.device[4000]"].macAddress != last["config.hardware.device[4000]"].macAddress


def test_each_card_has_its_own_address(product: Product) -> None:
    simulator = Simulator(product, vms=300)
    vms = list(simulator.database.all(vim.VirtualMachine))
    macs = [card.macAddress for vm in vms for card in cards_of(vm["config"])]
    assert len(set(macs)) == len(macs) > 400
    assert macs[0].startswith("00:50:56:8")


@pytest.fixture
def vapp_vm(client: Client) -> Any:
    return client.vm("shop-db")


def test_a_vm_in_a_vapp_is_in_no_folder(client: Client, vapp_vm: Any) -> None:
    assert vapp_vm.parent is None
    assert vapp_vm.parentVApp == client.find(vim.VirtualApp, "shop")
    folder = client.find(vim.Folder, "vm")
    assert vapp_vm not in folder.childEntity
    assert vapp_vm.parentVApp in folder.childEntity


def test_relations_are_told_from_both_sides(client: Client, vm: Any) -> None:
    assert vm in vm.datastore[0].vm
    assert vm in vm.network[0].vm
    assert vm in vm.runtime.host.vm
    assert vm in vm.resourcePool.vm
    cluster = vm.runtime.host.parent
    assert vm.runtime.host in cluster.host
    assert vm.datastore[0] in cluster.datastore
    assert vm.network[0] in cluster.network
    assert cluster.summary.numHosts == 2


def test_port_groups_of_a_host_are_told_in_both_places(client: Client, simulator: Simulator) -> None:
    host = client.host()
    system = host.configManager.networkSystem

    def groups(subject: Any, path: str) -> list[tuple[str, int]]:
        (found,) = client.retrieve(type(subject), path, obj=subject).objects
        return [(each.spec.name, each.spec.vlanId) for each in found.propSet[0].val]

    places = ((system, "networkInfo.portgroup"), (host, "config.network.portgroup"))
    assert {tuple(groups(*place)) for place in places} == {(("VM Network", 0),)}
    add_port_group(simulator.database.get(vim.HostSystem(host._moId)), "more", 7)
    assert {tuple(groups(*place)) for place in places} == {(("VM Network", 0), ("more", 7))}


def test_an_uplink_port_group_is_known_by_its_tag(client: Client) -> None:
    group = client.find(vim.dvs.DistributedVirtualPortgroup, "dvs-1-DVUplinks")
    assert [tag.key for tag in group.tag] == ["SYSTEM/DVS.UPLINKPG"]
    assert group.config.uplink is True


def test_a_distributed_switch_controls_bandwidth(client: Client) -> None:
    switch = client.find(vim.dvs.VmwareDistributedVirtualSwitch, "dvs-1")
    assert switch.config.networkResourceManagementEnabled is True
    assert switch.config.networkResourceControlVersion == "version3"


@pytest.mark.parametrize("product", [ESXI])
def test_a_lone_host_lacks_what_needs_vcenter(client: Client, simulator: Simulator) -> None:
    vm = client.vm("vm-0")
    folder = client.find(vim.Folder, "vm")
    spec = vim.vm.CloneSpec(location=vim.vm.RelocateSpec(), powerOn=False, template=False)
    for call in (
        lambda: folder.CreateFolder("x"),
        lambda: vm.Clone(folder, "x", spec),
        vm.MarkAsTemplate,
        lambda: client.content.rootFolder.CreateDatacenter("x"),
        lambda: client.find(vim.Folder, "network").CreateDistributedVirtualSwitch(
            vim.DistributedVirtualSwitch.CreateSpec(configSpec=vim.DistributedVirtualSwitch.ConfigSpec())
        ),
    ):
        with pytest.raises(vmodl.fault.NotSupported):
            call()


@pytest.mark.parametrize(
    ("path", "value"),
    [("name", 7), ("name", None), ("config", "x"), ("runtime.host", "x"), ("config.hardware.numCPU", "2")],
)
def test_a_property_takes_values_of_its_type_only(simulator: Simulator, path: str, value: Any) -> None:
    vm = simulator.database.by_name(vim.VirtualMachine, "vm-0")
    with pytest.raises(TypeError):
        vm[path] = value
    with pytest.raises(AttributeError):
        vm["nothing"] = value


def test_an_orphaned_vm_has_no_configuration(client: Client, simulator: Simulator, vm: Any) -> None:
    stored: Object = simulator.database.get(vim.VirtualMachine(vm._moId))
    stored["config"] = None
    stored["runtime.connectionState"] = "orphaned"
    (found,) = client.retrieve(vim.VirtualMachine, "config.name", "runtime.connectionState", obj=vm).objects
    assert [(each.name, each.val) for each in found.propSet] == [("runtime.connectionState", "orphaned")]
    assert vm.summary.config.name == "vm-0"
    other = client.vm("vm-1")
    result(client, other.Reconfigure(change(add(new_card()))))
    datacenter = client.content.rootFolder.childEntity[0]
    own = client.content.virtualDiskManager.DeleteVirtualDisk_Task("[shared-1] vm-1/vm-1.vmdk", datacenter)
    assert isinstance(error(client, own), vim.fault.FileLocked)


def test_configurations_are_not_made_to_see_what_vms_use(
    client: Client, simulator: Simulator, vm: Any
) -> None:
    group = client.find(vim.dvs.DistributedVirtualPortgroup, "production")
    switch = group.config.distributedVirtualSwitch.uuid
    taken = simulator.database.by_name(vim.VirtualMachine, "shop-db").values["config"].guest.macs[0]
    card = new_card(mac=taken, kind="assigned")
    port = vim.dvs.PortConnection(portgroupKey=group.key, switchUuid=switch)
    card.backing = vim.vm.device.VirtualEthernetCard.DistributedVirtualPortBackingInfo(port=port)
    result(client, vm.Reconfigure(change(add(card))))
    made = vm.config.hardware.device[-1]
    assert (made.macAddress != taken, made.backing.port.portKey) == (True, "2")
    datacenter = client.content.rootFolder.childEntity[0]
    task = client.content.virtualDiskManager.DeleteVirtualDisk_Task("[shared-1] vm-2/vm-2_1.vmdk", datacenter)
    assert isinstance(error(client, task), vim.fault.FileLocked)
    vms = {each["name"]: each.values["config"] for each in simulator.database.all(vim.VirtualMachine)}
    unread = {name for name, config in vms.items() if isinstance(config, UnreadConfig)}
    assert unread == {"vm-1", "vm-2", "shop-db", "debian-12"}
