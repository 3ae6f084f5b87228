"""Take a disk out of a VM, and delete its file if nothing else uses it."""

from simplestack import EntityNotFound, warn
from simplestack_vmware.sdk import vim
from simplestack_vmware.vsphere.changes.reconfiguring import reconfigure
from simplestack_vmware.vsphere.disks.files import DiskUsage, FileDisk, VmDisks
from simplestack_vmware.vsphere.inventory.names import decoded
from simplestack_vmware.vsphere.sessions.session import VmwareSession

_FLAT = "VirtualDiskFlatVer2BackingInfo"


def remove_disk(session: VmwareSession, vm: VmDisks, disk_id: str) -> None:
    """Detach a disk, and delete its file unless something else uses it: then a warning names it.

    :raises EntityNotFound: ``Disk``
    :raises Busy: others have changed the VM since it was read
    """
    disk = next((each for each in vm.disks if str(each.key) == disk_id), None)
    if disk is None:
        raise EntityNotFound("Disk", disk_id)
    reason = _reason_to_keep(vm, disk, DiskUsage.read(session, vm.ref))
    device = vim.vm.device.VirtualDisk(
        key=disk.key, controllerKey=disk.controller_key, unitNumber=disk.unit_number, capacityInKB=0
    )
    change = vim.vm.device.VirtualDeviceSpec(operation="remove", device=device)
    if reason is None:
        change.fileOperation = vim.vm.device.VirtualDeviceSpec.FileOperation.destroy
    reconfigure(session, vm, [change])
    if reason is not None:
        warn(f"{disk.label} stays in its datastore as {decoded(disk.backing.file_name)!r}: {reason}")


def _reason_to_keep(vm: VmDisks, disk: FileDisk, usage: DiskUsage) -> str | None:
    """Return why the file of a disk must stay; None if it is this disk's alone."""
    chain = set(disk.backing.chain)
    user = usage.user_of(chain)
    if user is not None:
        return f"guest {user!r} uses it or a file that it is based on"
    if any(chain & set(other.backing.chain) for other in vm.disks if other.key != disk.key):
        return "another disk of the guest uses it or a file that it is based on"
    if vm.snapshots is not None and vm.snapshots.roots:
        return "the guest has snapshots"
    if disk.backing.type_name != _FLAT:
        return f"it is a {disk.backing.type_name}, which may be more than a file of this guest"
    if disk.backing.sharing not in (None, "sharingNone"):
        return "other guests may share it"
    return None
