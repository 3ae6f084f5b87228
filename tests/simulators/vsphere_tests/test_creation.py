"""VMs that are created, deleted and unregistered in the vSphere simulator."""

from typing import Any

import pytest
from pyVmomi import vim, vmodl

from simulators.vsphere.faults import Rule
from simulators.vsphere.products import ESXI, VCENTER
from simulators.vsphere.simulator import Simulator
from simulators.vsphere_tests.clients import Client
from simulators.vsphere_tests.devices import TIB, add, change, device, new_card, new_disk, of_kind, remove
from simulators.vsphere_tests.waiting import error, result, wait_until

CONTROLLER = device.ParaVirtualSCSIController(key=-10, busNumber=0, sharedBus="noSharing")


def spec(name: str, *changes: Any, path: str = "[shared-1]", **fields: Any) -> Any:
    """Return what a VM is created with."""
    return change(*changes, name=name, files=vim.vm.FileInfo(vmPathName=path), **fields)


def place(client: Client) -> tuple[Any, Any]:
    """Return the folder and the pool of a VM."""
    vm = client.vm("vm-0")
    return vm.parent, vm.resourcePool


def files(simulator: Simulator) -> list[str]:
    """Return all files."""
    stores = simulator.database.all(vim.Datastore)
    return sorted(f"[{each['name']}] {path}" for each in stores for path in simulator.files.all(each.id))


@pytest.mark.parametrize("product", [VCENTER, ESXI])
def test_a_vm_is_created(client: Client, simulator: Simulator) -> None:
    folder, pool = place(client)
    store = client.vm("vm-0").datastore[0].name
    before = set(files(simulator))
    fields = {"numCPUs": 2, "memoryMB": 2_048, "guestId": "debian12_64Guest", "firmware": "efi"}
    changes = [add(new_disk(controller=-10), "create"), add(CONTROLLER), add(new_card())]
    made = result(client, folder.CreateVm(spec("a/b", *changes, path=f"[{store}]", **fields), pool, None))
    assert (made.name, made.config.name, made.runtime.powerState) == ("a%2fb", "a%2fb", "poweredOff")
    assert made in folder.childEntity
    assert made.resourcePool == pool
    added = {f"[{store}] a%2fb/a%2fb{suffix}" for suffix in (".vmx", ".nvram", ".vmdk")}
    assert set(files(simulator)) - before == added
    assert (made.config.hardware.numCPU, made.config.firmware) == (2, "efi")
    assert [each.key for each in of_kind(made, device.VirtualDisk)] == [2_000]
    for kind in ("IDEController", "PS2Controller", "PCIController", "SIOController", "Keyboard"):
        assert of_kind(made, getattr(device, f"Virtual{kind}")), kind
    assert not of_kind(made, device.VirtualCdrom)
    assert made.guest.toolsStatus == "toolsNotInstalled"
    found = client.content.searchIndex.FindAllByUuid(None, made.config.instanceUuid, True, True)
    assert list(found) == [made]
    result(client, made.PowerOn())


@pytest.mark.parametrize("product", [VCENTER, ESXI])
def test_a_vm_is_created_with_options(client: Client) -> None:
    folder, pool = place(client)
    store = client.vm("vm-0").datastore[0].name
    wanted = {"guestinfo.userdata": "I2Nsb3Vk", "guestinfo.userdata.encoding": "base64"}
    options = [vim.option.OptionValue(key=key, value=value) for key, value in wanted.items()]
    made = result(client, folder.CreateVm(spec("new", path=f"[{store}]", extraConfig=options), pool))
    assert {each.key: each.value for each in made.config.extraConfig}.items() >= wanted.items()


def test_a_vm_is_created_beside_files_of_its_name(client: Client, simulator: Simulator) -> None:
    folder, pool = place(client)
    client.vm("vm-0").Unregister()
    made = result(client, folder.CreateVm(spec("vm-0"), pool, None))
    assert made.config.files.vmPathName == "[shared-1] vm-0_1/vm-0.vmx"


@pytest.mark.parametrize(
    ("wanted", "kind"),
    [
        (spec("vm-0"), vim.fault.DuplicateName),
        (spec("x" * 81), vim.fault.InvalidName),
        (spec("new", path="[nothing]"), vim.fault.InvalidDatastorePath),
        (spec("new", path="[shared-1] vm-0/vm-0.vmx"), vim.fault.AlreadyExists),
        (spec("new", path="[shared-1] new/new.txt"), vim.fault.InvalidDatastorePath),
        (spec("new", guestId="nothing"), vmodl.fault.InvalidArgument),
        (spec("new", version="vmx-99"), vmodl.fault.InvalidArgument),
        (spec("new", memoryMB=-4), vmodl.fault.InvalidArgument),
        (spec("new", add(new_disk(), "create")), vim.fault.InvalidController),
        (
            spec("new", add(CONTROLLER), add(new_disk(20 * TIB, controller=-10, thin=False), "create")),
            vim.fault.NoDiskSpace,
        ),
        (spec("new", add(new_card("nothing"))), vim.fault.InvalidDeviceBacking),
        (spec("new", remove(device.VirtualDisk(key=2_000))), vim.fault.InvalidDeviceSpec),
    ],
)
def test_a_vm_that_cannot_be_created_leaves_nothing_behind(
    client: Client, simulator: Simulator, wanted: Any, kind: Any
) -> None:
    folder, pool = place(client)
    before, children = files(simulator), list(folder.childEntity)
    assert isinstance(error(client, folder.CreateVm(wanted, pool, None)), kind)
    assert (files(simulator), list(folder.childEntity)) == (before, children)


def test_what_a_vm_is_created_with_is_checked_at_once(client: Client) -> None:
    folder, pool = place(client)
    for wanted in (vim.vm.ConfigSpec(name="new"), vim.vm.ConfigSpec(files=spec("a").files)):
        with pytest.raises(vmodl.fault.InvalidArgument):
            folder.CreateVm(wanted, pool, None)
    other = next(
        each.obj for each in client.retrieve(vim.Folder, "name").objects if each.propSet[0].val == "host"
    )
    with pytest.raises(vmodl.fault.NotSupported):
        other.CreateVm(spec("new"), pool, None)
    elsewhere = client.find(vim.HostSystem, "esx-22.example")
    assert isinstance(
        error(client, folder.CreateVm(spec("new"), pool, elsewhere)), vmodl.fault.InvalidArgument
    )


def test_a_vm_is_deleted_with_its_disks_shared_ones_too(client: Client, simulator: Simulator) -> None:
    vm, other = client.vm("vm-0"), client.vm("vm-2")
    shared = new_disk(file="[shared-1] vm-2/vm-2_1.vmdk")
    result(client, vm.Reconfigure(change(add(shared))))
    detached = of_kind(vm, device.VirtualDisk)[1]
    result(client, vm.Reconfigure(change(remove(detached))))
    before, folder = set(files(simulator)), vm.parent
    result(client, vm.Destroy())
    gone = {"[shared-1] vm-0/vm-0.vmx", "[shared-1] vm-0/vm-0.nvram", "[shared-1] vm-0/vm-0.vmdk"}
    assert before - set(files(simulator)) == gone | {"[shared-1] vm-2/vm-2_1.vmdk"}
    assert "vm-0" not in [each.name for each in folder.childEntity]
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        _ = vm.name
    assert other.name == "vm-2"


def test_a_vm_that_runs_is_neither_deleted_nor_unregistered(
    client: Client, vm: Any, simulator: Simulator
) -> None:
    result(client, vm.PowerOn())
    before = files(simulator)
    assert isinstance(error(client, vm.Destroy()), vim.fault.InvalidPowerState)
    with pytest.raises(vim.fault.InvalidPowerState):
        vm.Unregister()
    assert (files(simulator), vm.name) == (before, "vm-0")


def test_a_vm_that_is_unregistered_leaves_its_files(client: Client, vm: Any, simulator: Simulator) -> None:
    before = files(simulator)
    simulator.faults.add(Rule(method="PowerOnVM_Task", effect="hold", progress=40))
    task = vm.PowerOn()
    wait_until(client, task, "info.progress", 40)
    with pytest.raises(vim.fault.TaskInProgress):
        vm.Unregister()
    task.Cancel()
    error(client, task)
    vm.Unregister()
    assert files(simulator) == before
    assert "vm-0" not in client.values(vim.VirtualMachine, "name")


@pytest.mark.parametrize("name", ["debian-12", "shop-db"])
def test_templates_and_vms_in_vapps_are_deleted(client: Client, simulator: Simulator, name: str) -> None:
    result(client, client.vm(name).Destroy())
    assert not [each for each in files(simulator) if each.startswith(f"[shared-1] {name}/")]
