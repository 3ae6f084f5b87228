"""Files as calls name them, ``[datastore] folder/name``, and which VMs use them."""

from typing import TYPE_CHECKING, Any

from pyVmomi import vim, vmodl

from simulators.vsphere.database import Object
from simulators.vsphere.disk_chains import chain
from simulators.vsphere.files import split_path
from simulators.vsphere.inventory.descent import datacenter_of

if TYPE_CHECKING:
    from simulators.vsphere.simulator import Simulator

_State = vim.VirtualMachine.PowerState


def locate(
    simulator: "Simulator", name: str, datacenter: Object | None, parameter: str = "datacenter"
) -> tuple[Object, str]:
    """Return the datastore of a file, and the path in it.

    :param parameter: which one the datacenter is; vCenter needs it
    :raises InvalidArgument: it is missing
    :raises InvalidDatastorePath: there is no such datastore in it
    """
    if datacenter is None and simulator.product.is_vcenter:
        raise vmodl.fault.InvalidArgument(invalidProperty=parameter)
    label, path = split_path(name)
    for store in simulator.database.all(vim.Datastore):
        if store["name"] == label and datacenter in (None, datacenter_of(store)):
            return store, plain(name, path)
    raise vim.fault.InvalidDatastorePath(datastorePath=name)


def plain(name: str, path: str) -> str:
    """Return a path without a slash at its end.

    :param name: with the datastore
    :raises InvalidDatastorePath: it leads out of the datastore, or has empty parts
    """
    parts = path.removesuffix("/").split("/")
    if path and not all(part and part not in (".", "..") for part in parts):
        raise vim.fault.InvalidDatastorePath(datastorePath=name)
    return "/".join(parts)


def full_name(store: Object, path: str) -> str:
    """Return a path with its datastore."""
    return f"[{store['name']}] {path}"


def check_unlocked(simulator: "Simulator", name: str) -> None:
    """Check that no VM that runs writes to a disk.

    :raises FileLocked: one does
    """
    for vm in simulator.database.all(vim.VirtualMachine):
        if vm["runtime.powerState"] == _State.poweredOn and name in _ends(vm["config"]):
            raise vim.fault.FileLocked(file=name)


def check_unused(simulator: "Simulator", name: str) -> None:
    """Check that no VM has a file: vSphere checks only the lock of one that runs, the simulator all.

    :raises FileLocked: one has
    """
    for vm in simulator.database.all(vim.VirtualMachine):
        if name == vm["config.files.vmPathName"] or name in _names(vm["config"]):
            raise vim.fault.FileLocked(file=name)
    for snapshot in simulator.database.all(vim.vm.Snapshot):
        if name in _names(snapshot["config"]):
            raise vim.fault.FileLocked(file=name)


def _disks(config: Any) -> list[Any]:
    return [each for each in config.hardware.device if isinstance(each, vim.vm.device.VirtualDisk)]


def _ends(config: Any) -> set[str]:
    return {disk.backing.fileName for disk in _disks(config)}


def _names(config: Any) -> set[str]:
    return {backing.fileName for disk in _disks(config) for backing in chain(disk.backing)}
