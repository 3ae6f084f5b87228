"""Devices of VMs with snapshots that are changed, and reverted, in the vSphere simulator."""

from typing import Any

import pytest
from pyVmomi import vim

from simulators.vsphere.simulator import Simulator
from simulators.vsphere_tests.clients import Client
from simulators.vsphere_tests.devices import GIB, KIB, add, change, edit, new_card, new_disk, of_kind, remove
from simulators.vsphere_tests.waiting import error, result

Disk, Card = vim.vm.device.VirtualDisk, vim.vm.device.VirtualEthernetCard


def snap(client: Client, vm: Any) -> Any:
    return result(client, vm.CreateSnapshot_Task("a", None, False, False))


def disks(simulator: Simulator) -> set[str]:
    """Return the files of the VM's disks."""
    with simulator.database.lock:
        stores = list(simulator.database.all(vim.Datastore))
        paths = [path for each in stores for path in simulator.files.all(each.id)]
    return {path for path in paths if path.startswith("vm-0/") and path.endswith(".vmdk")}


@pytest.mark.parametrize("consolidates", [True, False])
def test_a_disk_with_deltas_does_not_grow(client: Client, vm: Any, *, consolidates: bool) -> None:
    made = snap(client, vm)
    disk = of_kind(vm, Disk)[0]
    disk.capacityInBytes, disk.capacityInKB = 9 * GIB, 9 * GIB // KIB
    task = vm.Reconfigure(change(edit(disk)))
    assert isinstance(error(client, task), vim.fault.InvalidDeviceOperation)
    result(client, made.RemoveSnapshot_Task(False, consolidates))
    disk = of_kind(vm, Disk)[0]
    disk.capacityInBytes, disk.capacityInKB = 9 * GIB, 9 * GIB // KIB
    task = vm.Reconfigure(change(edit(disk)))
    if consolidates:
        result(client, task)
    else:
        assert isinstance(error(client, task), vim.fault.InvalidDeviceOperation)


def test_a_disk_that_a_snapshot_needs_keeps_its_files(client: Client, vm: Any, simulator: Simulator) -> None:
    before = disks(simulator)
    made = snap(client, vm)
    changes = [remove(disk, "destroy") for disk in of_kind(vm, Disk)]
    result(client, vm.Reconfigure(change(*changes)))
    assert (of_kind(vm, Disk), disks(simulator)) == ([], before)
    result(client, made.RevertToSnapshot_Task())
    assert len(of_kind(vm, Disk)) == 2
    result(client, vm.RemoveAllSnapshots_Task())
    assert disks(simulator) == before


def test_all_files_of_a_disk_that_no_snapshot_needs_are_removed(
    client: Client, vm: Any, simulator: Simulator
) -> None:
    made = snap(client, vm)
    result(client, made.RemoveSnapshot_Task(False, False))
    disk = of_kind(vm, Disk)[0]
    result(client, vm.Reconfigure(change(remove(disk, "destroy"))))
    assert disks(simulator) == {"vm-0/vm-0_1.vmdk", "vm-0/vm-0_1-000001.vmdk"}


def test_a_change_that_fails_keeps_all_files_of_a_chain(
    client: Client, vm: Any, simulator: Simulator
) -> None:
    result(client, snap(client, vm).RemoveSnapshot_Task(False, False))
    before = disks(simulator)
    disk = of_kind(vm, Disk)[0]
    error(client, vm.Reconfigure(change(remove(disk, "destroy"), add(new_card("nothing")))))
    assert (disks(simulator), len(of_kind(vm, Disk))) == (before, 2)


def test_a_revert_after_devices_were_added_and_removed(client: Client, vm: Any, simulator: Simulator) -> None:
    made = snap(client, vm)
    devices, before = [each.key for each in vm.config.hardware.device], list(vm.datastore)
    elsewhere = client.find(vim.Datastore, "local-1")
    added = new_disk(file="[local-1]")
    changes = [
        remove(of_kind(vm, Disk)[1], "destroy"),
        remove(of_kind(vm, Card)[0]),
        add(added, "create"),
        add(new_card()),
        add(new_card()),
    ]
    result(client, vm.Reconfigure(change(*changes)))
    assert elsewhere in vm.datastore
    kept = next(each.backing.fileName for each in of_kind(vm, Disk) if "[local-1]" in each.backing.fileName)
    result(client, made.RevertToSnapshot_Task())
    assert [each.key for each in vm.config.hardware.device] == devices
    assert list(vm.datastore) == before
    assert vm not in elsewhere.vm
    assert [each.backing.parent is not None for each in of_kind(vm, Disk)] == [True, True]
    assert kept.partition("] ")[2] in disks(simulator)
    result(client, vm.PowerOn())


def test_a_revert_on_a_host_without_the_datastore(client: Client, vm: Any) -> None:
    local = new_disk(file="[local-1]")
    result(client, vm.Reconfigure(change(add(local, "create"))))
    made, stores = snap(client, vm), list(vm.datastore)
    elsewhere = client.find(vim.HostSystem, "esx-12.example")
    result(client, made.RevertToSnapshot_Task(elsewhere))
    assert (list(vm.datastore), len(of_kind(vm, Disk))) == (stores, 3)


@pytest.mark.parametrize("sharing", ["virtualSharing", "physicalSharing"])
def test_a_vm_that_shares_a_bus_has_no_snapshots_while_it_runs(client: Client, vm: Any, sharing: str) -> None:
    controller = vim.vm.device.ParaVirtualSCSIController(key=-10, busNumber=1, sharedBus=sharing)
    result(client, vm.Reconfigure(change(add(controller))))
    result(client, vm.PowerOn())
    fault = error(client, vm.CreateSnapshot_Task("a", None, False, False))
    assert (type(fault), fault.device) == (vim.fault.SharedBusControllerNotSupported, "SCSI controller 1")
    result(client, vm.PowerOff())
    snap(client, vm)


def test_a_physical_lun_takes_no_part_in_snapshots(client: Client, vm: Any, simulator: Simulator) -> None:
    with simulator.database.lock:
        stored = simulator.database.get(vim.VirtualMachine(vm._moId))
        first: Any = next(each for each in stored["config"].hardware.device if isinstance(each, Disk))
        first.backing = Disk.RawDiskMappingVer1BackingInfo(
            fileName=first.backing.fileName, deviceName="vml.1", lunUuid="1", compatibilityMode="physicalMode"
        )
        stored.touch()
    snap(client, vm)
    raw, other = (each.backing for each in of_kind(vm, Disk))
    assert (raw.fileName, raw.parent) == ("[shared-1] vm-0/vm-0.vmdk", None)
    assert other.parent.fileName == "[shared-1] vm-0/vm-0_1.vmdk"
