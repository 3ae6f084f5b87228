"""Files as calls name them, ``[datastore] folder/name``, and which VMs use them."""

from typing import TYPE_CHECKING, Any

from pyVmomi import vim, vmodl

from simulators.vsphere.database import Object
from simulators.vsphere.disk_chains import chain, disks_of
from simulators.vsphere.disk_chains import locate as place
from simulators.vsphere.files import File, split_path
from simulators.vsphere.inventory.descent import datacenter_of
from simulators.vsphere.inventory.usage import disk_names_of

if TYPE_CHECKING:
    from simulators.vsphere.simulator import Simulator

_State = vim.VirtualMachine.PowerState
#: How files are locked.
_READING, _WRITING, _SHARING = "reading", "writing", "sharing"


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
        if vm["runtime.powerState"] == _State.poweredOn and name in disk_names(
            vm["config"], with_parents=False
        ):
            raise vim.fault.FileLocked(file=name)


def check_unused(simulator: "Simulator", name: str) -> None:
    """Check that no VM has a file: vSphere checks only the lock of one that runs, the simulator all.

    :raises FileLocked: one has
    """
    for vm in simulator.database.all(vim.VirtualMachine):
        if name == vm["config.files.vmPathName"] or name in disk_names_of(vm):
            raise vim.fault.FileLocked(file=name)
    for snapshot in simulator.database.all(vim.vm.Snapshot):
        if name in disk_names(snapshot["config"], with_parents=True):
            raise vim.fault.FileLocked(file=name)


def files_of(simulator: "Simulator", name: str) -> list[File]:
    """Return the files of a disk's chain, the newest first, as VMs and snapshots have it.

    :raises FileNotFound: one is not there
    """
    vms = [vm for vm in simulator.database.all(vim.VirtualMachine) if name in disk_names_of(vm)]
    for each in (*vms, *simulator.database.all(vim.vm.Snapshot)):
        for disk in disks_of(each["config"]):
            for backing in chain(disk.backing):
                if backing.fileName == name:
                    return [simulator.files.get(*place(simulator, own.fileName)) for own in chain(backing)]
    return [simulator.files.get(*place(simulator, name))]


def check_disks(simulator: "Simulator", vm: Object) -> None:
    """Check that the disks of a VM are there.

    :raises FileNotFound: one is not
    """
    for name in sorted(disk_names(vm["config"], with_parents=True)):
        label, path = split_path(name)
        stores = [each for each in simulator.database.all(vim.Datastore) if each["name"] == label]
        if not any(simulator.files.find(store.id, path) for store in stores):
            raise vim.fault.FileNotFound(file=name)


def check_lockable(vm: Object) -> None:
    """Check that a VM can lock its disks: each has one writer, unless all its VMs share it.

    :raises FileLocked: a VM that runs has locked one
    """
    own = _locks(vm["config"])
    for other in vm.database.all(vim.VirtualMachine):
        if other is vm or other["runtime.powerState"] != _State.poweredOn:
            continue
        for name, mode in _locks(other["config"]).items():
            if name in own and {mode, own[name]} not in ({_READING}, {_SHARING}):
                raise vim.fault.FileLocked(file=name)


def check_unlocked_by_others(vm: Object, name: str) -> None:
    """Check that no other VM that runs uses a file.

    :raises FileLocked: one does
    """
    for other in vm.database.all(vim.VirtualMachine):
        is_running = other["runtime.powerState"] == _State.poweredOn
        if other is not vm and is_running and name in disk_names(other["config"], with_parents=True):
            raise vim.fault.FileLocked(file=name)


def _locks(config: Any) -> dict[str, str]:
    """Return how a VM that runs locks the files of its disks."""
    found: dict[str, str] = {}
    for disk in disks_of(config):
        found |= dict.fromkeys((each.fileName for each in chain(disk.backing.parent)), _READING)
        is_shared = getattr(disk.backing, "sharing", None) == "sharingMultiWriter"
        found[disk.backing.fileName] = _SHARING if is_shared else _WRITING
    return found


def disk_names(config: Any, *, with_parents: bool) -> set[str]:
    """Return the names of the files of a configuration's disks.

    :param with_parents: also those that they are based on
    """
    found = set()
    for disk in disks_of(config):
        backings = chain(disk.backing) if with_parents else [disk.backing]
        found |= {backing.fileName for backing in backings}
    return found
