"""VMs with snapshots that are deleted and unregistered in the vSphere simulator."""

from typing import Any

import pytest
from pyVmomi import vim, vmodl

from simulators.vsphere.products import ESXI, VCENTER
from simulators.vsphere.simulator import Simulator
from simulators.vsphere_tests.clients import Client
from simulators.vsphere_tests.devices import add, change, new_disk, of_kind, remove
from simulators.vsphere_tests.waiting import result

Disk = vim.vm.device.VirtualDisk


def files(simulator: Simulator) -> set[str]:
    with simulator.database.lock:
        stores = list(simulator.database.all(vim.Datastore))
        return {f"[{each['name']}] {path}" for each in stores for path in simulator.files.all(each.id)}


def snap(client: Client, vm: Any, *, memory: bool = False) -> Any:
    return result(client, vm.CreateSnapshot_Task("a", None, memory, False))


@pytest.mark.parametrize("product", [VCENTER, ESXI])
def test_a_vm_is_deleted_with_its_snapshots(client: Client, vm: Any, simulator: Simulator) -> None:
    elsewhere = {each for each in files(simulator) if "] vm-0/" not in each}
    result(client, vm.PowerOn())
    made = [snap(client, vm, memory=True), snap(client, vm)]
    result(client, vm.PowerOff())
    result(client, made[0].RevertToSnapshot_Task(None, True))
    snap(client, vm)
    result(client, vm.Destroy())
    assert files(simulator) == elsewhere
    for snapshot in made:
        with pytest.raises(vmodl.fault.ManagedObjectNotFound):
            _ = snapshot.vm
    with simulator.database.lock:
        assert list(simulator.database.all(vim.vm.Snapshot)) == []


def test_a_disk_that_only_a_snapshot_has_is_deleted_too(
    client: Client, vm: Any, simulator: Simulator
) -> None:
    snap(client, vm)
    disk = of_kind(vm, Disk)[1]
    result(client, vm.Reconfigure(change(remove(disk))))
    result(client, vm.Destroy())
    assert {each for each in files(simulator) if "] vm-0/" in each} == {disk.backing.fileName}


def test_independent_disks_are_deleted_too(client: Client, vm: Any, simulator: Simulator) -> None:
    disk = new_disk()
    disk.backing.diskMode = "independent_persistent"
    result(client, vm.Reconfigure(change(add(disk, "create"))))
    snap(client, vm)
    result(client, vm.Destroy())
    assert not [each for each in files(simulator) if "] vm-0/" in each]


def test_a_template_with_snapshots_is_deleted(client: Client, vm: Any, simulator: Simulator) -> None:
    snap(client, vm)
    vm.MarkAsTemplate()
    result(client, vm.Destroy())
    assert not [each for each in files(simulator) if "] vm-0/" in each]


@pytest.mark.parametrize("product", [VCENTER, ESXI])
def test_snapshots_of_a_vm_that_is_unregistered_leave_their_files(
    client: Client, vm: Any, simulator: Simulator
) -> None:
    made = snap(client, vm)
    before = files(simulator)
    vm.Unregister()
    assert files(simulator) == before
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        _ = made.vm
