"""Disks that several VMs have, in the vSphere simulator: one that runs locks them."""

from typing import Any

import pytest
from pyVmomi import vim

from simulators.vsphere.simulator import Simulator
from simulators.vsphere_tests.clients import Client
from simulators.vsphere_tests.devices import add, change, device, new_disk, of_kind
from simulators.vsphere_tests.waiting import error, result

SHARED = "[shared-1] vm-1/vm-1_2.vmdk"


def share(client: Client, sharing: str | None = None) -> tuple[Any, Any]:
    """Return two VMs that share a disk."""
    first, other = client.vm("vm-1"), client.vm("vm-0")
    for vm, operation in ((first, "create"), (other, None)):
        disk = new_disk(file=SHARED)
        disk.backing.sharing = sharing
        result(client, vm.Reconfigure(change(add(disk, operation))))
    return first, other


def files(simulator: Simulator) -> set[str]:
    with simulator.database.lock:
        store = simulator.database.by_name(vim.Datastore, "shared-1")
        return set(simulator.files.all(store.id))


def test_a_disk_has_one_vm_that_runs(client: Client) -> None:
    first, other = share(client)
    result(client, first.PowerOn())
    fault = error(client, other.PowerOn())
    assert isinstance(fault, vim.fault.FileLocked)
    assert fault.file == SHARED
    assert other.runtime.powerState == "poweredOff"
    result(client, first.PowerOff())
    result(client, other.PowerOn())


def test_a_disk_with_many_writers_has_many(client: Client) -> None:
    first, other = share(client, "sharingMultiWriter")
    result(client, first.PowerOn())
    result(client, other.PowerOn())


def test_a_base_that_another_vm_writes_to_is_locked(client: Client) -> None:
    first, other = share(client)
    result(client, first.CreateSnapshot_Task("a", None, False, False))
    assert of_kind(first, device.VirtualDisk)[2].backing.parent.fileName == SHARED
    result(client, other.PowerOn())
    assert isinstance(error(client, first.PowerOn()), vim.fault.FileLocked)


def test_a_vm_whose_disk_another_one_uses_is_not_deleted(client: Client, simulator: Simulator) -> None:
    first, other = share(client)
    before = files(simulator)
    result(client, other.PowerOn())
    assert isinstance(error(client, first.Destroy()), vim.fault.FileLocked)
    assert (files(simulator), first.name) == (before, "vm-1")
    result(client, other.PowerOff())
    result(client, first.Destroy())
    assert SHARED.partition(" ")[2] not in files(simulator)


def test_a_base_that_another_vm_has_stays(client: Client, simulator: Simulator) -> None:
    first, other = share(client)
    result(client, first.CreateSnapshot_Task("a", None, False, False))
    result(client, first.Destroy())
    assert {name for name in files(simulator) if name.startswith("vm-1/")} == {SHARED.partition(" ")[2]}
    result(client, other.PowerOn())


@pytest.mark.parametrize("folder", ["", "vm-0/logs"])
def test_a_vm_is_deleted_with_its_snapshots_and_its_folder(
    client: Client, vm: Any, simulator: Simulator, folder: str
) -> None:
    result(client, vm.CreateSnapshot_Task("a", None, False, False))
    result(client, vm.CreateSnapshot_Task("b", None, False, False))
    manager, datacenter = client.content.fileManager, client.content.rootFolder.childEntity[0]
    if folder:
        manager.MakeDirectory(f"[shared-1] {folder}", datacenter)
    result(client, manager.DeleteFile("[shared-1] vm-0/vm-0.nvram", datacenter))
    result(client, vm.Destroy())
    left = [folder] if folder else []
    assert [name for name in files(simulator) if name.startswith("vm-0")] == left
    assert simulator.database.counts().get("VirtualMachineSnapshot") is None
