"""``Destroy_Task`` and ``UnregisterVM``."""

from typing import Any

from pyVmomi import vim

from simulators.vsphere.calls import Call
from simulators.vsphere.database import Object
from simulators.vsphere.datastore_paths import check_unlocked_by_others, disk_names, full_name
from simulators.vsphere.disk_chains import locate
from simulators.vsphere.files import Files
from simulators.vsphere.inventory.entities import remove_entity
from simulators.vsphere.inventory.usage import disk_names_of
from simulators.vsphere.methods import method
from simulators.vsphere.snapshot_files import remove_state
from simulators.vsphere.snapshot_trees import nodes_of
from simulators.vsphere.tasks import Running

State = vim.VirtualMachine.PowerState
#: Files of a VM that are not disks, by what follows the name of its configuration file.
_SUFFIXES = (".vmx", ".vmtx", ".nvram", ".vmsd", ".vmxf", ".vmss", ".vswp", ".log")


@method(vim.VirtualMachine, "Destroy_Task", privilege="VirtualMachine.Inventory.Delete")
def destroy(call: Call) -> Any:
    """Delete a VM, its snapshots and its files: all disks that it has, those too that other VMs share."""

    def work(running: Running) -> None:
        vm, files = call.target, call.simulator.files
        _need_not_running(vm)
        places = [locate(call.simulator, name) for name in _names(vm)]
        for store, path in places:
            check_unlocked_by_others(vm, full_name(call.database.get(vim.Datastore(store)), path))
        running.commit()
        for store, path in places:
            if files.find(store, path) is not None:
                files.remove(store, path)
                call.database.get(vim.Datastore(store)).touch()
        for snapshot in _snapshots(vm):
            remove_state(call.simulator, snapshot)
        _remove_empty_folder(files, *locate(call.simulator, vm["config.files.vmPathName"]))
        _forget(vm)

    return call.start(work)


@method(vim.VirtualMachine, "UnregisterVM")
def unregister(call: Call) -> None:
    """Forget a VM, and keep its files."""
    busy = call.simulator.tasks.busy_with(call.target)
    if busy is not None:
        raise vim.fault.TaskInProgress(task=busy.ref)
    _need_not_running(call.target)
    file = call.simulator.files.find(*locate(call.simulator, call.target["config.files.vmPathName"]))
    if file is not None:
        file.configuration = call.target["config"]
    _forget(call.target)


def _need_not_running(vm: Object) -> None:
    state = vm["runtime.powerState"]
    if state == State.poweredOn:
        raise vim.fault.InvalidPowerState(requestedState=State.poweredOff, existingState=state)


def _snapshots(vm: Object) -> list[Object]:
    return [vm.database.get(node.snapshot) for node in nodes_of(vm)]


def _forget(vm: Object) -> None:
    for snapshot in _snapshots(vm):
        vm.database.remove(snapshot)
    remove_entity(vm)


def _names(vm: Object) -> list[str]:
    """Return the names of the files that end with a VM, without those of its snapshots' states."""
    base = vm["config.files.vmPathName"].rpartition(".")[0]
    names = [f"{base}{suffix}" for suffix in _SUFFIXES]
    disks = disk_names(vm["config"], with_parents=False)
    return [*names, *sorted(disks | _bases(vm, disks))]


def _bases(vm: Object, disks: set[str]) -> set[str]:
    """Return the files that the VM's disks and snapshots are based on, and no other VM has."""
    found = _all_names(vm) - disks
    if not found:
        return found
    others = [each for each in vm.database.all(vim.VirtualMachine) if each is not vm]
    return found.difference(*(_all_names(other) for other in others))


def _all_names(vm: Object) -> set[str]:
    snapshots = (disk_names(each["config"], with_parents=True) for each in _snapshots(vm))
    return disk_names_of(vm).union(*snapshots)


def _remove_empty_folder(files: Files, store: str, path: str) -> None:
    folder = path.rpartition("/")[0]
    if list(files.tree(store, folder)) == [folder]:
        files.remove(store, folder)
