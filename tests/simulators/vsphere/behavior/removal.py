"""``Destroy_Task`` and ``UnregisterVM``."""

from typing import Any

from pyVmomi import vim

from simulators.vsphere import disk_chains
from simulators.vsphere.calls import Call
from simulators.vsphere.database import Object
from simulators.vsphere.files import split_path
from simulators.vsphere.inventory.entities import remove_entity
from simulators.vsphere.methods import method
from simulators.vsphere.snapshot_files import remove_state
from simulators.vsphere.snapshot_trees import configs_of, nodes_of
from simulators.vsphere.tasks import Running

State = vim.VirtualMachine.PowerState
#: Files of a VM that are no disks, by what follows the name of its configuration file.
_SUFFIXES = (".vmx", ".vmtx", ".nvram", ".vmsd", ".vmxf", ".vmss", ".vswp", ".log")


@method(vim.VirtualMachine, "Destroy_Task", privilege="VirtualMachine.Inventory.Delete")
def destroy(call: Call) -> Any:
    """Delete a VM, its snapshots and their files: all disks that it has, those too that other VMs share."""

    def work(running: Running) -> None:
        _need_not_running(call.target)
        running.commit()
        for datastore, path in _paths(call.target):
            if call.simulator.files.find(datastore.id, path) is not None:
                call.simulator.files.remove(datastore.id, path)
                datastore.touch()
        for snapshot in _snapshots(call.target):
            remove_state(call.simulator, snapshot)
        _forget(call.target)

    return call.start(work)


@method(vim.VirtualMachine, "UnregisterVM")
def unregister(call: Call) -> None:
    """Forget a VM, and keep its files."""
    busy = call.simulator.tasks.busy_with(call.target)
    if busy is not None:
        raise vim.fault.TaskInProgress(task=busy.ref)
    _need_not_running(call.target)
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


def _paths(vm: Object) -> list[tuple[Object, str]]:
    """Return the datastores and paths of the files that end with a VM."""
    config: Any = vm["config"]
    base = config.files.vmPathName.rpartition(".")[0]
    names = [f"{base}{suffix}" for suffix in _SUFFIXES]
    names += sorted(disk_chains.all_file_names(configs_of(vm)))
    split = [split_path(name) for name in names]
    return [(vm.database.by_name(vim.Datastore, store), path) for store, path in split]
