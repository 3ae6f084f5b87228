"""``VirtualDiskManager``: copies and removes disks that need not be a VM's."""

from typing import Any

from pyVmomi import vim, vmodl

from simulators.vsphere.calls import Call
from simulators.vsphere.database import Object
from simulators.vsphere.disk_chains import chain
from simulators.vsphere.files import File, split_path
from simulators.vsphere.inventory.descent import datacenter_of
from simulators.vsphere.methods import method
from simulators.vsphere.tasks import Running

_FILES = "Datastore.FileManagement"
_State = vim.VirtualMachine.PowerState


@method(vim.VirtualDiskManager, "CopyVirtualDisk_Task")
def copy_disk(
    call: Call,
    *,
    source_name: str,
    source_datacenter: Object | None,
    dest_name: str,
    dest_datacenter: Object | None,
    dest_spec: Any,
    force: bool | None,
) -> Any:
    """Copy a disk. A disk that is there is replaced only if ``force`` is set."""
    source = _locate(call, source_name, source_datacenter)
    target = _locate(call, dest_name, dest_datacenter or source_datacenter)
    call.need(_FILES, source[0])
    call.need(_FILES, target[0])

    def work(running: Running) -> None:
        files = call.simulator.files
        disk = _disk(call, *source)
        _check_unlocked(call, source_name)
        store, path = target
        if not path.endswith(".vmdk"):
            raise vim.fault.InvalidDatastorePath(datastorePath=dest_name)
        folder = path.rpartition("/")[0]
        names = files.all(store.id)
        if folder and not any(each == folder or each.startswith(f"{folder}/") for each in names):
            raise vim.fault.FileNotFound(file=dest_name)
        is_thin = disk.is_thin if dest_spec is None else dest_spec.diskType == "thin"
        size = disk.size_bytes if is_thin else disk.capacity_bytes
        made = File("disk", size, disk.capacity_bytes, is_thin, disk.content)
        old = files.find(store.id, path)
        if old is not None:
            if not force:
                raise vim.fault.FileAlreadyExists(file=dest_name)
            _disk(call, *target)
            _check_unused(call, dest_name)
        running.commit()
        if old is not None:
            files.remove(store.id, path)
        try:
            files.add(store.id, path, made)
        except vmodl.MethodFault:
            if old is not None:
                files.add(store.id, path, old)
            raise

    return call.start(work)


@method(vim.VirtualDiskManager, "DeleteVirtualDisk_Task")
def delete_disk(call: Call, name: str, datacenter: Object | None) -> Any:
    """Remove a disk that no VM uses."""
    store, path = _locate(call, name, datacenter)
    call.need(_FILES, store)

    def work(running: Running) -> None:
        _disk(call, store, path)
        _check_unused(call, name)
        running.commit()
        call.simulator.files.remove(store.id, path)

    return call.start(work)


def _locate(call: Call, name: str, datacenter: Object | None) -> tuple[Object, str]:
    """Return the datastore and the path in it."""
    if datacenter is None and call.simulator.product.is_vcenter:
        raise vmodl.fault.InvalidArgument(invalidProperty="datacenter")
    label, path = split_path(name)
    for store in call.database.all(vim.Datastore):
        if store["name"] == label and datacenter in (None, datacenter_of(store)):
            return store, path
    raise vim.fault.InvalidDatastorePath(datastorePath=name)


def _disk(call: Call, store: Object, path: str) -> File:
    found = call.simulator.files.get(store.id, path)
    if found.kind != "disk":
        raise vim.fault.FileNotFound(file=path)
    return found


def _check_unlocked(call: Call, name: str) -> None:
    """Check that no VM that runs writes to a disk."""
    for vm in call.database.all(vim.VirtualMachine):
        if vm["runtime.powerState"] == _State.poweredOn and name in _ends(vm["config"]):
            raise vim.fault.FileLocked(file=name)


def _check_unused(call: Call, name: str) -> None:
    """Check that no VM has a disk: vSphere checks only the lock of one that runs, the simulator all."""
    for vm in call.database.all(vim.VirtualMachine):
        if name in _names(vm["config"]):
            raise vim.fault.FileLocked(file=name)
    for snapshot in call.database.all(vim.vm.Snapshot):
        if name in _names(snapshot["config"]):
            raise vim.fault.FileLocked(file=name)


def _disks(config: Any) -> list[Any]:
    return [each for each in config.hardware.device if isinstance(each, vim.vm.device.VirtualDisk)]


def _ends(config: Any) -> set[str]:
    return {disk.backing.fileName for disk in _disks(config)}


def _names(config: Any) -> set[str]:
    return {backing.fileName for disk in _disks(config) for backing in chain(disk.backing)}
