"""Disks: added, grown, removed, with their files."""

import uuid
from typing import Any

from pyVmomi import vim

from simulators.vsphere.database import Object
from simulators.vsphere.disk_chains import chain
from simulators.vsphere.files import File
from simulators.vsphere.hardware.placement import label, place, take_out
from simulators.vsphere.hardware.plan import Plan
from simulators.vsphere.inventory.storage import MAX_DISK_BYTES

Disk = vim.vm.device.VirtualDisk
Change = vim.vm.device.VirtualDeviceSpec
_Flat = Disk.FlatVer2BackingInfo
_KIB = 1_024


def add_disk(plan: Plan, index: int, disk: Any, file_operation: Any) -> None:
    """Add a disk, with a new file or with one that is there."""
    if file_operation == Change.FileOperation.destroy:
        raise _rejected(index, Change.Operation.add, file_operation)
    if not isinstance(disk.backing, _Flat):
        raise vim.fault.InvalidDeviceBacking(deviceIndex=index)
    name = label(plan, Disk, "Hard disk")
    place(plan, index, disk)
    if file_operation is None:
        store, path = _existing(plan, index, disk)
    else:
        store, path = _create(plan, index, disk, is_replacing=file_operation == Change.FileOperation.replace)
    backing = disk.backing
    backing.fileName, backing.datastore = f"[{store['name']}] {path}", store.ref
    backing.diskMode = backing.diskMode or "persistent"
    backing.uuid = backing.uuid or str(uuid.uuid4())
    backing.sharing = backing.sharing or "sharingNone"
    disk.deviceInfo = vim.Description(label=name, summary="")
    disk.shares = disk.shares or vim.SharesInfo(shares=1_000, level=vim.SharesInfo.Level.normal)
    _set_size(disk, plan.get_file(store, path).capacity_bytes)


def edit_disk(plan: Plan, index: int, disk: Any, wanted: Any, file_operation: Any) -> None:
    """Change a disk: it can only grow, and not if it has snapshots.

    :param disk: as it is
    """
    operation = Change.Operation.edit
    if file_operation is not None:
        raise _rejected(index, operation, file_operation)
    if (wanted.controllerKey, wanted.unitNumber) != (disk.controllerKey, disk.unitNumber):
        raise vim.fault.InvalidDeviceSpec(deviceIndex=index)
    if wanted.backing is not None:
        if getattr(wanted.backing, "fileName", None) != disk.backing.fileName:
            raise vim.fault.InvalidDeviceBacking(deviceIndex=index)
        disk.backing.diskMode = wanted.backing.diskMode
    size = _size(index, wanted)
    has_deltas = plan.has_snapshots or disk.backing.parent is not None
    if size < disk.capacityInBytes or (size > disk.capacityInBytes and has_deltas):
        raise _rejected(index, operation)
    if size > disk.capacityInBytes:
        if isinstance(plan.find(disk.controllerKey), vim.vm.device.VirtualIDEController):
            plan.need_off()
        plan.grow_disk(*plan.locate(disk.backing.fileName), size)
        _set_size(disk, size)
    disk.shares = wanted.shares or disk.shares
    disk.storageIOAllocation = wanted.storageIOAllocation or disk.storageIOAllocation


def remove_disk(plan: Plan, index: int, disk: Any, file_operation: Any) -> None:
    """Remove a disk, and its files if that is wanted, except for those that snapshots need."""
    if file_operation not in (None, Change.FileOperation.destroy):
        raise _rejected(index, Change.Operation.remove, file_operation)
    take_out(plan, index, disk)
    if file_operation is not None:
        for backing in chain(disk.backing):
            if backing.fileName not in plan.kept_files:
                plan.remove_file(*plan.locate(backing.fileName))


def _existing(plan: Plan, index: int, disk: Any) -> tuple[Object, str]:
    if not disk.backing.fileName:
        raise vim.fault.InvalidDeviceBacking(deviceIndex=index)
    store, path = plan.locate(disk.backing.fileName)
    if plan.get_file(store, path).kind != "disk":
        raise vim.fault.InvalidDeviceBacking(deviceIndex=index)
    return store, path


def _create(plan: Plan, index: int, disk: Any, *, is_replacing: bool) -> tuple[Object, str]:
    size, backing = _size(index, disk), disk.backing
    store, path = _target(plan, index, backing)
    if is_replacing and plan.simulator.files.find(store.id, path) is not None:
        plan.remove_file(store, path)
    is_thin = bool(backing.thinProvisioned)
    file = File("disk", size_bytes=0 if is_thin else size, capacity_bytes=size, is_thin=is_thin)
    plan.add_file(store, path, file)
    return store, path


def _target(plan: Plan, index: int, backing: Any) -> tuple[Object, str]:
    """Return where a new disk's file goes: where it is wanted, or beside the VM's configuration."""
    home, configuration = plan.home()
    store, path = home, ""
    if backing.fileName:
        store, path = plan.locate(backing.fileName)
    elif backing.datastore is not None:
        chosen = plan.simulator.database.get(backing.datastore)
        store, _ = plan.locate(f"[{chosen['name']}]")
    if not path:
        base = configuration.rpartition(".")[0]
        names = (f"{base}.vmdk", *(f"{base}_{number}.vmdk" for number in range(1, 1_000)))
        path = next(name for name in names if plan.simulator.files.find(store.id, name) is None)
    elif not path.endswith(".vmdk"):
        raise vim.fault.InvalidDeviceBacking(deviceIndex=index)
    else:
        _check_folder(plan, store, path.rpartition("/")[0])
    return store, path


def _check_folder(plan: Plan, store: Object, folder: str) -> None:
    if not plan.simulator.files.has_folder(store.id, folder):
        raise vim.fault.FileNotFound(file=f"[{store['name']}] {folder}")


def _size(index: int, disk: Any) -> int:
    size: int = disk.capacityInBytes or disk.capacityInKB * _KIB
    if size <= 0 or size > MAX_DISK_BYTES:
        raise vim.fault.InvalidDeviceSpec(deviceIndex=index)
    return -(-size // _KIB) * _KIB


def _set_size(disk: Any, size: int) -> None:
    disk.capacityInBytes, disk.capacityInKB = size, size // _KIB
    disk.deviceInfo.summary = f"{size // _KIB:,} KB"


def _rejected(index: int, operation: Any, file_operation: Any = None) -> Exception:
    return vim.fault.InvalidDeviceOperation(deviceIndex=index, badOp=operation, badFileOp=file_operation)
