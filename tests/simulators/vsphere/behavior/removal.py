"""``Destroy_Task`` and ``UnregisterVM``."""

from typing import Any

from pyVmomi import vim

from simulators.vsphere.calls import Call
from simulators.vsphere.database import Object
from simulators.vsphere.files import split_path
from simulators.vsphere.inventory.entities import remove_entity
from simulators.vsphere.methods import method
from simulators.vsphere.tasks import Running

State = vim.VirtualMachine.PowerState
#: Files of a VM that are no disks, by what follows the name of its configuration file.
_SUFFIXES = (".vmx", ".vmtx", ".nvram", ".vmsd", ".vmxf", ".vmss", ".vswp", ".log")


@method(vim.VirtualMachine, "Destroy_Task", privilege="VirtualMachine.Inventory.Delete")
def destroy(call: Call) -> Any:
    """Delete a VM and its files: all disks that it has, those too that other VMs share."""

    def work(running: Running) -> None:
        _need_not_running(call.target)
        running.commit()
        for datastore, path in _paths(call.target):
            if call.simulator.files.find(datastore.id, path) is not None:
                call.simulator.files.remove(datastore.id, path)
                datastore.touch()
        remove_entity(call.target)

    return call.start(work)


@method(vim.VirtualMachine, "UnregisterVM")
def unregister(call: Call) -> None:
    """Forget a VM, and keep its files."""
    busy = call.simulator.tasks.busy_with(call.target)
    if busy is not None:
        raise vim.fault.TaskInProgress(task=busy.ref)
    _need_not_running(call.target)
    remove_entity(call.target)


def _need_not_running(vm: Object) -> None:
    state = vm["runtime.powerState"]
    if state == State.poweredOn:
        raise vim.fault.InvalidPowerState(requestedState=State.poweredOff, existingState=state)


def _paths(vm: Object) -> list[tuple[Object, str]]:
    """Return the datastores and paths of the files that end with a VM."""
    config: Any = vm["config"]
    base = config.files.vmPathName.rpartition(".")[0]
    names = [f"{base}{suffix}" for suffix in _SUFFIXES]
    devices: list[Any] = config.hardware.device
    disks: list[Any] = [each for each in devices if isinstance(each, vim.vm.device.VirtualDisk)]
    names += [disk.backing.fileName for disk in disks]
    split = [split_path(name) for name in names]
    return [(vm.database.by_name(vim.Datastore, store), path) for store, path in split]
