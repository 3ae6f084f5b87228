"""Clones in the vSphere simulator."""

from typing import Any

import pytest
from pyVmomi import vim, vmodl

from simulators.vsphere.products import ESXI
from simulators.vsphere.sessions import READING, Account
from simulators.vsphere.simulator import Simulator
from simulators.vsphere_tests.clients import Client
from simulators.vsphere_tests.devices import GIB, KIB, add, change, edit, new_card, new_disk, of_kind, remove
from simulators.vsphere_tests.waiting import error, result

Disk, Card = vim.vm.device.VirtualDisk, vim.vm.device.VirtualEthernetCard


def spec(**values: Any) -> Any:
    fields = ("pool", "datastore", "diskMoveType", "deviceChange")
    location = vim.vm.RelocateSpec(**{name: values.pop(name) for name in fields if name in values})
    return vim.vm.CloneSpec(location=location, **{"template": False, "powerOn": False, **values})


def backings(vm: Any) -> list[Any]:
    return [each.backing for each in vm.config.hardware.device if isinstance(each, Disk)]


def own(vm: Any) -> set[str]:
    """Return what no other VM may have: UUIDs, MAC addresses, files."""
    devices: Any = vm.config.hardware.device
    names = {backing.fileName for backing in backings(vm)}
    macs = {each.macAddress for each in devices if isinstance(each, Card)}
    return {vm.config.uuid, vm.config.instanceUuid, vm.config.files.vmPathName, *names, *macs}


def test_a_clone_shares_nothing(client: Client, vm: Any) -> None:
    result(client, vm.PowerOn())
    result(client, vm.CreateSnapshot_Task("a", None, False, False))
    free = vm.datastore[0].summary.freeSpace
    made = result(client, vm.CloneVM_Task(vm.parent, "a/b", spec()))
    assert (made.name, made.config.name, made.runtime.powerState) == ("a%2fb", "a%2fb", "poweredOff")
    assert made in vm.parent.childEntity
    assert (made.resourcePool, made.snapshot) == (vm.resourcePool, None)
    assert not own(made) & own(vm)
    assert [backing.parent for backing in backings(made)] == [None, None]
    assert vm.datastore[0].summary.freeSpace < free
    assert isinstance(error(client, vm.CloneVM_Task(vm.parent, "a/b", spec())), vim.fault.DuplicateName)


def test_a_template_is_deployed_and_made(client: Client, vm: Any) -> None:
    template = client.vm("debian-12")
    fault = error(client, template.CloneVM_Task(vm.parent, "new", spec()))
    assert isinstance(fault, vmodl.fault.InvalidArgument)
    made = result(client, template.CloneVM_Task(vm.parent, "new", spec(pool=vm.resourcePool, powerOn=True)))
    assert (made.config.template, made.runtime.powerState) == (False, "poweredOn")
    other = result(client, vm.CloneVM_Task(vm.parent, "other", spec(template=True)))
    assert (other.config.template, other.resourcePool) == (True, None)


def test_a_full_datastore_keeps_nothing_of_a_clone(client: Client, vm: Any, simulator: Simulator) -> None:
    store = vm.datastore[0]._moId
    with simulator.database.lock:
        simulator.files._capacities[store] -= simulator.files.free(store) - 1024**3
        before = simulator.files.all(store)
    assert isinstance(error(client, vm.CloneVM_Task(vm.parent, "new", spec())), vim.fault.NoDiskSpace)
    assert simulator.files.all(store) == before
    assert "new" not in client.values(vim.VirtualMachine, "name")


def test_a_clone_has_tools_if_its_source_has(client: Client, vm: Any) -> None:
    files = vim.vm.FileInfo(vmPathName="[shared-1]")
    bare = result(client, vm.parent.CreateVm(vim.vm.ConfigSpec(name="bare", files=files), vm.resourcePool))
    made = result(client, bare.CloneVM_Task(vm.parent, "new", spec()))
    assert (made.guest.toolsStatus, made.guest.guestState) == ("toolsNotInstalled", "notRunning")
    other = result(client, vm.CloneVM_Task(vm.parent, "other", spec()))
    assert (other.guest.toolsStatus, other.guestHeartbeatStatus) == ("toolsNotRunning", "gray")


def config(**values: Any) -> Any:
    return spec(config=vim.vm.ConfigSpec(**values))


def test_the_configuration_of_a_clone_is_changed(client: Client, vm: Any) -> None:
    before, source = vm.config.changeVersion, vm.config.hardware.numCPU
    extra = [vim.option.OptionValue(key="guestinfo.userdata", value="x")]
    wanted = config(extraConfig=extra, annotation="new", numCPUs=4, memoryMB=2_048)
    made = result(client, vm.CloneVM_Task(vm.parent, "new", wanted)).config
    assert {each.key: each.value for each in made.extraConfig}["guestinfo.userdata"] == "x"
    assert (made.annotation, made.hardware.numCPU, made.hardware.memoryMB) == ("new", 4, 2_048)
    assert (vm.config.annotation, vm.config.hardware.numCPU) == ("", source)
    assert vm.config.changeVersion == before != made.changeVersion


def test_devices_of_a_clone_are_changed(client: Client, vm: Any, simulator: Simulator) -> None:
    first, second = of_kind(vm, Disk)
    card = of_kind(vm, Card)[0]
    first.capacityInBytes, first.capacityInKB = 9 * GIB, 9 * GIB // KIB
    changes = [edit(first), remove(second, "destroy"), add(new_disk(), "create"), add(new_card())]
    wanted = spec(config=change(*changes), deviceChange=[remove(card)])
    made = result(client, vm.CloneVM_Task(vm.parent, "new", wanted))
    assert [each.capacityInBytes for each in of_kind(made, Disk)] == [9 * GIB, GIB]
    assert len(of_kind(made, Card)) == 1
    assert [each.capacityInBytes for each in of_kind(vm, Disk)] == [8 * GIB, 2 * GIB]
    names = {each.fileName.partition("] ")[2] for each in [*backings(made), *backings(vm)]}
    store = vm.datastore[0]._moId
    with simulator.database.lock:
        paths = simulator.files.all(store)
    assert {each for each in paths if each.split("/")[0] in ("new", "vm-0") and ".vmdk" in each} == names


@pytest.mark.parametrize(
    ("wanted", "kind"),
    [
        (config(numCPUs=0), vmodl.fault.InvalidArgument),
        (config(deviceChange=[add(new_card("nothing"))]), vim.fault.InvalidDeviceBacking),
        (config(deviceChange=[add(new_disk(file="[isos] nothing.vmdk"))]), vim.fault.FileNotFound),
    ],
)
def test_a_clone_that_cannot_be_made_leaves_nothing_behind(
    client: Client, vm: Any, simulator: Simulator, wanted: Any, kind: Any
) -> None:
    store = vm.datastore[0]._moId
    with simulator.database.lock:
        before = simulator.files.all(store)
    assert isinstance(error(client, vm.CloneVM_Task(vm.parent, "new", wanted)), kind)
    with simulator.database.lock:
        assert simulator.files.all(store) == before
    assert "new" not in client.values(vim.VirtualMachine, "name")


def test_addresses_are_generated_but_for_manual_ones(client: Client, vm: Any) -> None:
    cards = [add(new_card()), add(new_card(mac="00:50:56:00:00:01", kind="manual"))]
    result(client, vm.Reconfigure(change(*cards)))
    macs = [each.macAddress for each in of_kind(vm, Card)]
    made = result(client, vm.CloneVM_Task(vm.parent, "new", spec()))
    found = [each.macAddress for each in of_kind(made, Card)]
    assert len(set(found)) == 3
    assert set(found) & set(macs) == {"00:50:56:00:00:01"}
    assert all(each.startswith("00:50:56:b") for each in found[:2])


def test_a_snapshot_is_cloned(client: Client, vm: Any) -> None:
    made = result(client, vm.CreateSnapshot_Task("a", None, False, False))
    result(client, vm.Reconfigure(change(remove(of_kind(vm, Disk)[1], "destroy"), annotation="later")))
    whole = spec(snapshot=made, diskMoveType="moveAllDiskBackingsAndConsolidate")
    found = result(client, vm.CloneVM_Task(vm.parent, "new", whole))
    assert (len(backings(found)), found.config.annotation, found.snapshot) == (2, "", None)
    other = client.vm("vm-1")
    fault = error(client, other.CloneVM_Task(vm.parent, "other", spec(snapshot=made)))
    assert isinstance(fault, vmodl.fault.InvalidArgument)
    with pytest.raises(vmodl.fault.NotSupported):
        vm.CloneVM_Task(vm.parent, "other", spec(snapshot=made, diskMoveType="createNewChildDiskBacking"))


def test_a_clone_goes_to_another_datastore_of_its_host(client: Client, vm: Any) -> None:
    for name, is_there in (("local-1", True), ("local-3", False)):
        store = client.find(vim.Datastore, name)
        task = vm.CloneVM_Task(vm.parent, name, spec(datastore=store))
        if is_there:
            assert list(result(client, task).datastore) == [store]
        else:
            assert isinstance(error(client, task), vim.fault.InvalidDatastorePath)
        assert (len(store.vm) == 1) is is_there


@pytest.mark.parametrize(
    "missing",
    [
        "VirtualMachine.Provisioning.Clone",
        "VirtualMachine.Inventory.CreateFromExisting",
        "Datastore.AllocateSpace",
        "Resource.AssignVMToPool",
    ],
)
def test_a_clone_needs_privileges(connect: Any, simulator: Simulator, missing: str) -> None:
    needed = {
        *("VirtualMachine.Provisioning.Clone", "VirtualMachine.Inventory.CreateFromExisting"),
        *("Datastore.AllocateSpace", "Resource.AssignVMToPool"),
    }
    simulator.sessions.accounts["all"] = Account("secret", READING | needed)
    simulator.sessions.accounts["some"] = Account("secret", READING | (needed - {missing}))
    some = connect("some")
    vm = some.vm("vm-0")
    with pytest.raises(vim.fault.NoPermission) as caught:
        vm.CloneVM_Task(vm.parent, "new", spec())
    assert caught.value.privilegeId == missing
    allowed = connect("all")
    vm = allowed.vm("vm-0")
    assert result(allowed, vm.CloneVM_Task(vm.parent, "new", spec())).name == "new"


def test_what_the_simulator_does_not_have_is_not_ignored(client: Client, vm: Any) -> None:
    for name, value in (("transform", "flat"), ("folder", vm.parent)):
        wanted = spec()
        setattr(wanted.location, name, value)
        with pytest.raises(vmodl.fault.NotImplemented):
            vm.CloneVM_Task(vm.parent, "new", wanted)
    changed = add(new_card())
    changed.profile = [vim.vm.EmptyProfileSpec()]
    fault = error(client, vm.CloneVM_Task(vm.parent, "new", config(deviceChange=[changed])))
    assert isinstance(fault, vmodl.fault.NotImplemented)


@pytest.mark.parametrize("product", [ESXI])
def test_a_lone_host_does_not_clone(vm: Any) -> None:
    with pytest.raises(vmodl.fault.NotSupported):
        vm.CloneVM_Task(vm.parent, "new", spec())
