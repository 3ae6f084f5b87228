"""Disks of VMs in the vSphere simulator, and their controllers."""

from typing import Any

import pytest
from pyVmomi import vim

from simulators.vsphere.simulator import Simulator
from simulators.vsphere_tests.clients import Client
from simulators.vsphere_tests.devices import (
    GIB,
    KIB,
    TIB,
    add,
    change,
    device,
    edit,
    new_disk,
    of_kind,
    remove,
)
from simulators.vsphere_tests.waiting import error, result

Disk = device.VirtualDisk


def disk(vm: Any, key: int = 2_000) -> Any:
    """Return a disk by its key."""
    return next(each for each in of_kind(vm, Disk) if each.key == key)


def paths(simulator: Simulator) -> set[str]:
    """Return the files in the shared datastore."""
    store = simulator.database.by_name(vim.Datastore, "shared-1")
    return set(simulator.files.all(store.id))


def free(simulator: Simulator) -> int:
    """Return how many bytes of the shared datastore are free."""
    return simulator.files.free(simulator.database.by_name(vim.Datastore, "shared-1").id)


def test_disks_are_added_beside_the_configuration(client: Client, vm: Any, simulator: Simulator) -> None:
    before, space = paths(simulator), free(simulator)
    changes = [add(new_disk(thin=False), "create"), add(new_disk(2 * GIB), "create")]
    result(client, vm.Reconfigure(change(*changes)))
    assert paths(simulator) - before == {"vm-0/vm-0_2.vmdk", "vm-0/vm-0_3.vmdk"}
    assert free(simulator) == space - GIB
    added = disk(vm, 2_003)
    assert (added.unitNumber, added.capacityInBytes, added.capacityInKB) == (3, 2 * GIB, 2 * GIB // KIB)
    assert (added.backing.fileName, added.deviceInfo.label) == ("[shared-1] vm-0/vm-0_3.vmdk", "Hard disk 4")
    assert 2_003 in of_kind(vm, device.VirtualSCSIController)[0].device


@pytest.mark.parametrize(
    ("added", "kind"),
    [
        (add(new_disk(unit=7), "create"), vim.fault.InvalidDeviceSpec),
        (add(new_disk(unit=16), "create"), vim.fault.InvalidDeviceSpec),
        (add(new_disk(unit=0), "create"), vim.fault.InvalidDeviceSpec),
        (add(new_disk(62 * TIB + KIB), "create"), vim.fault.InvalidDeviceSpec),
        (add(new_disk(0), "create"), vim.fault.InvalidDeviceSpec),
        (add(new_disk(-KIB), "create"), vim.fault.InvalidDeviceSpec),
        (add(new_disk(controller=None), "create"), vim.fault.MissingController),
        (add(new_disk(controller=1_001), "create"), vim.fault.InvalidController),
        (add(new_disk(), "destroy"), vim.fault.InvalidDeviceOperation),
        (add(new_disk(), None), vim.fault.InvalidDeviceBacking),
        (add(new_disk(file="[shared-1] no.vmdk"), None), vim.fault.FileNotFound),
        (add(new_disk(file="[isos] debian-12.iso"), None), vim.fault.InvalidDeviceBacking),
        (add(new_disk(file="[shared-1] vm-0/vm-0.vmdk"), "create"), vim.fault.FileAlreadyExists),
        (add(new_disk(file="[shared-1] no/a.vmdk"), "create"), vim.fault.FileNotFound),
        (add(new_disk(file="[shared-1] vm-0/a.iso"), "create"), vim.fault.InvalidDeviceBacking),
        (add(new_disk(file="[nothing] a.vmdk"), "create"), vim.fault.InvalidDatastorePath),
        (add(new_disk(file="[local-4] a.vmdk"), "create"), vim.fault.InvalidDatastorePath),
        (add(new_disk(file="a.vmdk"), "create"), vim.fault.InvalidDatastorePath),
        (add(new_disk(20 * TIB, thin=False), "create"), vim.fault.NoDiskSpace),
    ],
)
def test_a_disk_that_cannot_be_added_leaves_nothing_behind(
    client: Client, vm: Any, simulator: Simulator, added: Any, kind: Any
) -> None:
    before, space, version = paths(simulator), free(simulator), vm.config.changeVersion
    spec = change(add(new_disk(thin=False), "create"), added, annotation="new")
    fault = error(client, vm.Reconfigure(spec))
    assert type(fault) is kind
    assert getattr(fault, "deviceIndex", 1) == 1
    assert (paths(simulator), free(simulator), vm.config.changeVersion) == (before, space, version)
    assert (len(of_kind(vm, Disk)), vm.config.annotation) == (2, "")


def test_a_controller_takes_15_disks_and_a_vm_four_controllers(client: Client, vm: Any) -> None:
    result(client, vm.Reconfigure(change(*(add(new_disk(), "create") for _ in range(13)))))
    assert sorted(each.unitNumber for each in of_kind(vm, Disk)) == [*range(7), *range(8, 16)]
    full = error(client, vm.Reconfigure(change(add(new_disk(), "create"))))
    assert isinstance(full, vim.fault.TooManyDevices)
    controllers = [
        device.ParaVirtualSCSIController(key=-10 - number, busNumber=number, sharedBus="noSharing")
        for number in range(1, 5)
    ]
    changes = [add(new_disk(controller=-11), "create"), *map(add, controllers[:3])]
    result(client, vm.Reconfigure(change(*changes)))
    assert disk(vm, 2_016).controllerKey == 1_001
    assert isinstance(error(client, vm.Reconfigure(change(add(controllers[3])))), vim.fault.TooManyDevices)
    used = next(each for each in of_kind(vm, device.VirtualSCSIController) if each.key == 1_001)
    assert isinstance(error(client, vm.Reconfigure(change(remove(used)))), vim.fault.InvalidDeviceOperation)


def test_a_disk_only_grows(client: Client, vm: Any, simulator: Simulator) -> None:
    grown = disk(vm)
    grown.capacityInKB, grown.capacityInBytes = 10 * GIB // KIB, None
    result(client, vm.Reconfigure(change(edit(grown))))
    assert disk(vm).capacityInBytes == 10 * GIB
    grown.capacityInKB = 9 * GIB // KIB
    fault = error(client, vm.Reconfigure(change(edit(grown))))
    assert isinstance(fault, vim.fault.InvalidDeviceOperation)
    stale = disk(vm)
    stale.capacityInKB = 20 * GIB // KIB
    result(client, vm.Reconfigure(change(edit(stale))))
    assert disk(vm).capacityInBytes == 10 * GIB, "capacityInBytes wins"


def test_disks_of_ide_controllers_change_while_the_vm_is_off(client: Client, vm: Any) -> None:
    result(client, vm.Reconfigure(change(add(new_disk(controller=201), "create"))))
    result(client, vm.PowerOn())
    grown = disk(vm, 3_002)
    grown.capacityInKB, grown.capacityInBytes = 10 * GIB // KIB, None
    for changed in (edit(grown), remove(disk(vm, 3_002))):
        assert isinstance(error(client, vm.Reconfigure(change(changed))), vim.fault.InvalidPowerState)
    result(client, vm.PowerOff())
    result(client, vm.Reconfigure(change(edit(grown))))


def test_a_disk_with_snapshots_does_not_grow(client: Client, vm: Any, simulator: Simulator) -> None:
    with simulator.database.lock:
        stored = simulator.database.get(vim.VirtualMachine(vm._moId))
        stored["snapshot"] = vim.vm.SnapshotInfo()
    grown = disk(vm)
    grown.capacityInKB, grown.capacityInBytes = 10 * GIB // KIB, None
    fault = error(client, vm.Reconfigure(change(edit(grown))))
    assert isinstance(fault, vim.fault.InvalidDeviceOperation)
    assert disk(vm).capacityInBytes == 8 * GIB


def test_what_an_edit_does_not_send_back_is_not_guessed(client: Client, vm: Any) -> None:
    for field, value, kind in (
        ("key", 2_009, vim.fault.InvalidDeviceSpec),
        ("controllerKey", None, vim.fault.InvalidDeviceSpec),
        ("unitNumber", None, vim.fault.InvalidDeviceSpec),
    ):
        sent = disk(vm)
        setattr(sent, field, value)
        fault = error(client, vm.Reconfigure(change(edit(sent))))
        assert (type(fault), fault.deviceIndex) == (kind, 0)
    for operation in ("create", "destroy", "replace"):
        fault = error(client, vm.Reconfigure(change(edit(disk(vm), operation))))
        assert isinstance(fault, vim.fault.InvalidDeviceOperation)


def test_a_disk_is_removed_with_or_without_its_file(client: Client, vm: Any, simulator: Simulator) -> None:
    before = paths(simulator)
    result(client, vm.Reconfigure(change(remove(disk(vm, 2_001)))))
    assert paths(simulator) == before
    again = new_disk(0, file="[shared-1] vm-0/vm-0_1.vmdk")
    result(client, vm.Reconfigure(change(add(again))))
    assert disk(vm, 2_001).capacityInBytes == 2 * GIB
    result(client, vm.Reconfigure(change(remove(disk(vm, 2_001), "destroy"))))
    assert before - paths(simulator) == {"vm-0/vm-0_1.vmdk"}


def test_a_file_that_was_deleted_is_there_again_if_a_later_change_fails(
    client: Client, vm: Any, simulator: Simulator
) -> None:
    before, space = paths(simulator), free(simulator)
    spec = change(
        remove(disk(vm, 2_001), "destroy"), add(new_disk(file=disk(vm).backing.fileName), "replace")
    )
    spec.deviceChange.append(add(new_disk(unit=7), "create"))
    fault = error(client, vm.Reconfigure(spec))
    assert (type(fault), fault.deviceIndex) == (vim.fault.InvalidDeviceSpec, 2)
    assert (paths(simulator), free(simulator), len(of_kind(vm, Disk))) == (before, space, 2)


def test_disks_are_added_while_the_vm_runs_but_not_to_ide(client: Client, vm: Any) -> None:
    result(client, vm.PowerOn())
    result(client, vm.Reconfigure(change(add(new_disk(), "create"))))
    fault = error(client, vm.Reconfigure(change(add(new_disk(controller=201), "create"))))
    assert isinstance(fault, vim.fault.InvalidPowerState)
    result(client, vm.PowerOff())
    result(client, vm.Reconfigure(change(add(new_disk(controller=201), "create"))))
    assert disk(vm, 3_002).controllerKey == 201
