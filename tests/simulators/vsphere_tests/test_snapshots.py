"""Snapshots in the vSphere simulator: the tree, the power state, and the disks' files."""

from typing import Any

import pytest
from pyVmomi import vim, vmodl

from simulators.vsphere.products import ESXI, VCENTER
from simulators.vsphere.simulator import Simulator
from simulators.vsphere_tests.clients import Client
from simulators.vsphere_tests.waiting import error, result

both = pytest.mark.parametrize("product", [VCENTER, ESXI])


def snap(client: Client, vm: Any, name: str = "a", *, memory: bool = False) -> Any:
    return result(client, vm.CreateSnapshot_Task(name, None, memory, False))


def tree(vm: Any) -> Any:
    def names(nodes: Any) -> Any:
        return [(each.name, names(each.childSnapshotList)) for each in nodes]

    return names(vm.snapshot.rootSnapshotList) if vm.snapshot else []


def files(simulator: Simulator, vm: Any) -> set[str]:
    store = vm.datastore[0]._moId
    with simulator.database.lock:
        return {path for path in simulator.files.all(store) if path.startswith("vm-0/")}


def chains(vm: Any) -> list[list[str]]:
    """Return the names of the files of each disk, the newest first."""
    found = []
    for each in vm.config.hardware.device:
        if isinstance(each, vim.vm.device.VirtualDisk):
            backing: Any = each.backing
            names = []
            while backing is not None:
                names.append(backing.fileName.partition("] ")[2])
                backing = backing.parent
            found.append(names)
    return found


@both
def test_a_snapshot_is_made_and_removed(client: Client, vm: Any, simulator: Simulator) -> None:
    before = files(simulator, vm)
    free = vm.datastore[0].summary.freeSpace
    made = snap(client, vm)
    assert (made.vm, vm.snapshot.currentSnapshot, list(vm.rootSnapshot)) == (vm, made, [made])
    assert tree(vm) == [("a", [])]
    assert vm.snapshot.rootSnapshotList[0].state == "poweredOff"
    assert chains(vm)[0] == ["vm-0/vm-0-000001.vmdk", "vm-0/vm-0.vmdk"]
    assert {name for names in chains(vm) for name in names} <= files(simulator, vm)
    assert chains(made)[0] == ["vm-0/vm-0.vmdk"]
    result(client, made.RemoveSnapshot_Task(False))
    assert vm.snapshot is None
    assert chains(vm)[0] == ["vm-0/vm-0.vmdk"]
    assert (files(simulator, vm), vm.datastore[0].summary.freeSpace) == (before, free)
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        made.RemoveSnapshot_Task(False)


def test_snapshots_are_a_tree_and_names_may_repeat(client: Client, vm: Any, simulator: Simulator) -> None:
    before = files(simulator, vm)
    first = snap(client, vm)
    second = snap(client, vm, "b")
    result(client, first.RevertToSnapshot_Task())
    assert vm.snapshot.currentSnapshot == first
    third = snap(client, vm, "b")
    assert tree(vm) == [("a", [("b", []), ("b", [])])]
    assert list(first.childSnapshot) == [second, third]
    result(client, first.RemoveSnapshot_Task(False))
    assert tree(vm) == [("b", []), ("b", [])]
    assert vm.snapshot.currentSnapshot == third
    assert chains(second)[0][-1] == chains(third)[0][-1] == "vm-0/vm-0.vmdk"
    result(client, vm.RemoveAllSnapshots_Task())
    assert (tree(vm), files(simulator, vm), chains(vm)[0]) == ([], before, ["vm-0/vm-0.vmdk"])


def test_children_are_removed_too_if_that_is_wanted(client: Client, vm: Any, simulator: Simulator) -> None:
    root = snap(client, vm, "root")
    left = files(simulator, vm)
    child = snap(client, vm, "child")
    snap(client, vm, "grandchild")
    result(client, child.RemoveSnapshot_Task(True))
    assert tree(vm) == [("root", [])]
    assert vm.snapshot.currentSnapshot == root
    assert files(simulator, vm) == left


def test_a_revert_brings_back_the_configuration_and_its_disks(client: Client, vm: Any) -> None:
    snap(client, vm)
    frozen = chains(vm)[0]
    result(client, vm.RevertToCurrentSnapshot_Task())
    assert chains(vm)[0][1:] == frozen[1:] == ["vm-0/vm-0.vmdk"]
    assert vm.name == "vm-0"


@both
@pytest.mark.parametrize("memory", [True, False])
def test_the_power_state_after_a_revert(client: Client, vm: Any, *, memory: bool) -> None:
    result(client, vm.PowerOn())
    snap(client, vm, memory=memory)
    state = "poweredOn" if memory else "poweredOff"
    assert vm.snapshot.rootSnapshotList[0].state == state
    result(client, vm.PowerOn() if vm.runtime.powerState == "poweredOff" else vm.PowerOff())
    result(client, vm.RevertToCurrentSnapshot_Task())
    assert vm.runtime.powerState == state


def test_there_are_at_most_32_levels(client: Client, vm: Any, simulator: Simulator) -> None:
    for _ in range(32):
        snap(client, vm)
    before = files(simulator, vm)
    fault = error(client, vm.CreateSnapshot_Task("a", None, False, False))
    assert isinstance(fault, vim.fault.TooManySnapshotLevels)
    assert files(simulator, vm) == before


def test_a_full_datastore_leaves_nothing_behind(client: Client, vm: Any, simulator: Simulator) -> None:
    first = snap(client, vm)
    result(client, vm.PowerOn())
    before, names = files(simulator, vm), chains(vm)
    store = vm.datastore[0]._moId
    with simulator.database.lock:
        simulator.files._capacities[store] -= simulator.files.free(store) - 100 * 1024**2
    fault = error(client, vm.CreateSnapshot_Task("b", None, True, False))
    assert isinstance(fault, vim.fault.NoDiskSpace)
    assert (files(simulator, vm), chains(vm)) == (before, names)
    assert (tree(vm), vm.snapshot.currentSnapshot) == ([("a", [])], first)


@pytest.mark.parametrize("is_current", [True, False])
def test_a_revert_without_space_changes_nothing(
    client: Client, vm: Any, simulator: Simulator, *, is_current: bool
) -> None:
    made = snap(client, vm)
    before, names, devices = files(simulator, vm), chains(vm), len(vm.config.hardware.device)
    store = vm.datastore[0]._moId
    with simulator.database.lock:
        simulator.files._capacities[store] -= simulator.files.free(store) - 20 * 1024**2
    task = vm.RevertToCurrentSnapshot_Task() if is_current else made.RevertToSnapshot_Task()
    fault = vim.fault.GenericVmConfigFault if is_current else vim.fault.NoDiskSpace
    assert isinstance(error(client, task), fault)
    assert (files(simulator, vm), chains(vm), len(vm.config.hardware.device)) == (before, names, devices)
    assert vm.snapshot.currentSnapshot == made


def test_what_cannot_be_done(client: Client, vm: Any) -> None:
    assert isinstance(error(client, vm.RevertToCurrentSnapshot_Task()), vim.fault.NotFound)
    assert isinstance(error(client, vm.CreateSnapshot_Task("", None, False, False)), vim.fault.InvalidName)
    result(client, vm.RemoveAllSnapshots_Task())
    with pytest.raises(vmodl.fault.NotSupported):
        client.vm("debian-12").CreateSnapshot_Task("a", None, False, False)


def test_a_snapshot_is_renamed(client: Client, vm: Any) -> None:
    made = snap(client, vm)
    made.RenameSnapshot("new/name", "why")
    node = vm.snapshot.rootSnapshotList[0]
    assert (node.name, node.description) == ("new/name", "why")
    with pytest.raises(vim.fault.InvalidName):
        made.RenameSnapshot("")


def test_files_stay_without_consolidation(client: Client, vm: Any) -> None:
    made = snap(client, vm)
    result(client, made.RemoveSnapshot_Task(False, False))
    assert (vm.snapshot, vm.runtime.consolidationNeeded) == (None, True)
    assert len(chains(vm)[0]) == 2


@both
def test_disks_are_consolidated_later(client: Client, vm: Any, simulator: Simulator) -> None:
    before, free = files(simulator, vm), vm.datastore[0].summary.freeSpace
    first = snap(client, vm)
    second = snap(client, vm)
    result(client, first.RevertToSnapshot_Task())
    third = snap(client, vm)
    for each in (second, third):
        result(client, each.RemoveSnapshot_Task(False, False))
    assert vm.runtime.consolidationNeeded
    assert len(chains(vm)[0]) == 3
    result(client, vm.ConsolidateVMDisks_Task())
    assert (len(chains(vm)[0]), vm.runtime.consolidationNeeded) == (2, False)
    assert chains(first)[0] == ["vm-0/vm-0.vmdk"]
    result(client, first.RemoveSnapshot_Task(False, False))
    result(client, vm.ConsolidateVMDisks_Task())
    assert (files(simulator, vm), vm.datastore[0].summary.freeSpace) == (before, free)


def test_a_later_removal_consolidates_too(client: Client, vm: Any) -> None:
    first = snap(client, vm)
    result(client, snap(client, vm).RemoveSnapshot_Task(False, False))
    result(client, first.RemoveSnapshot_Task(False))
    assert (len(chains(vm)[0]), vm.runtime.consolidationNeeded) == (1, False)
