"""Changes of a guest's disks, as vSphere's specs."""

from simplestack import Conflict, EntityNotFound, grown_bytes
from simplestack_vmware.sdk import vim
from simplestack_vmware.vsphere.disks.units import Place
from simplestack_vmware.vsphere.inventory.devices import Device, disks
from simplestack_vmware.vsphere.inventory.records import DatastoreRecord, VmDevices

_NEW_DISK_KEY = -102
_FLAT = "VirtualDiskFlatVer2BackingInfo"
_KIB = 1024


def find_disk(vm: VmDevices, disk_id: str) -> Device:
    """Find a disk of a guest by its ID, the key of the device.

    :raises EntityNotFound: ``Disk``
    """
    for disk in disks(vm.devices):
        if str(disk.key) == disk_id:
            return disk
    raise EntityNotFound("Disk", disk_id)


def added_disk(
    place: Place, size_bytes: int, datastore: DatastoreRecord | None
) -> "list[vim.vm.device.VirtualDeviceSpec]":
    """Return the changes that make a new, thin disk.

    :param datastore: None for the one with the guest's configuration
    """
    backing = vim.vm.device.VirtualDisk.FlatVer2BackingInfo(
        fileName="" if datastore is None else f"[{datastore.stored_name}]",
        diskMode="persistent",
        thinProvisioned=True,
    )
    disk = vim.vm.device.VirtualDisk(
        key=_NEW_DISK_KEY,
        controllerKey=place.controller_key,
        unitNumber=place.unit,
        backing=backing,
        capacityInKB=-(-size_bytes // _KIB),
        capacityInBytes=-(-size_bytes // _KIB) * _KIB,
    )
    operation = vim.vm.device.VirtualDeviceSpec
    made = operation(  # type: ignore[no-untyped-call]  # pyVmomi's constructors have no types
        operation=operation.Operation.add, fileOperation=operation.FileOperation.create, device=disk
    )
    return [*place.changes, made]


def grown_disk(vm: VmDevices, disk: Device, size_bytes: int) -> "list[vim.vm.device.VirtualDeviceSpec]":
    """Return the changes that let a disk grow; none if it has this size.

    :raises InvalidArguments: it would shrink
    :raises Conflict: it cannot grow: the guest has snapshots, or the disk is a linked clone or no file
    """
    label = disk.description.label or f"disk {disk.key}"
    size_bytes = -(-size_bytes // _KIB) * _KIB
    if disk.size_bytes is None:
        raise Conflict(
            f"cannot grow {label!r} of guest {vm.name!r}: vSphere does not know its size; look at it in "
            "vSphere"
        )
    if grown_bytes("size", size_bytes, [disk.size_bytes]) == disk.size_bytes:
        return []
    if vm.current_snapshot is not None:
        raise Conflict(
            f"cannot grow {label!r} of guest {vm.name!r} while it has snapshots: delete them first"
        )
    if disk.backing.parent is not None:
        raise Conflict(
            f"cannot grow {label!r} of guest {vm.name!r}: it is a linked clone of another disk; clone "
            "the guest, and use the clone"
        )
    if disk.backing.type_name != _FLAT:
        raise Conflict(
            f"cannot grow {label!r} of guest {vm.name!r}: it is a {disk.backing.type_name}; grow it in "
            "vSphere"
        )
    backing = vim.vm.device.VirtualDisk.FlatVer2BackingInfo(
        fileName=disk.backing.file_name or "", diskMode=disk.backing.disk_mode
    )
    grown = vim.vm.device.VirtualDisk(
        key=disk.key,
        controllerKey=disk.controller_key,
        unitNumber=disk.unit_number,
        backing=backing,
        capacityInKB=size_bytes // _KIB,
        capacityInBytes=size_bytes,
    )
    operation = vim.vm.device.VirtualDeviceSpec
    return [operation(operation=operation.Operation.edit, device=grown)]  # type: ignore[no-untyped-call]  # pyVmomi's constructors have no types
