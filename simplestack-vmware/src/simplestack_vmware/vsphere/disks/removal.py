"""Take a disk out of a VM, and delete its file if nothing else uses it."""

from simplestack import EntityNotFound, warn
from simplestack_vmware.sdk import vim
from simplestack_vmware.vsphere.changes.reconfiguring import reconfigure
from simplestack_vmware.vsphere.disks.files import FileDisk, VmDisks
from simplestack_vmware.vsphere.disks.usage import DiskUsage
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
    reason = _reason_to_keep(vm, disk, DiskUsage.read(session, vm))
    device = vim.vm.device.VirtualDisk(
        key=disk.key, controllerKey=disk.controller_key, unitNumber=disk.unit_number, capacityInKB=0
    )
    change = vim.vm.device.VirtualDeviceSpec(operation="remove", device=device)
    if reason is None:
        change.fileOperation = vim.vm.device.VirtualDeviceSpec.FileOperation.destroy
    reconfigure(session, vm, [change])
    if reason is not None:
        warn_of_kept(disk, reason)


def reason_of_others(vm: VmDisks, disk: FileDisk, usage: DiskUsage) -> str | None:
    """Return why others need the file of a disk, or may need it; None if they do not."""
    use = usage.find(disk.backing.chain)
    if use is not None:
        return use.of("it") if use.doubt else use.of("it or a file that it is based on")
    if disk.first_class_id is not None:
        return "it is a first class disk, such as a volume of Kubernetes: delete it where it was made"
    if vm.may_share(disk):
        return "other guests may share it"
    if not disk.backing.file_name:
        return "its file is not known"
    return None


def warn_of_kept(disk: FileDisk, reason: str) -> None:
    """Warn the client that the file of a disk stays."""
    warn(f"{disk.label} stays in its datastore as {decoded(disk.backing.file_name)!r}: {reason}")


def _reason_to_keep(vm: VmDisks, disk: FileDisk, usage: DiskUsage) -> str | None:
    """Return why the file of a disk must stay; None if it is this disk's alone."""
    reason = reason_of_others(vm, disk, usage)
    if reason is not None:
        return reason
    chain = {each.file_name for each in disk.backing.chain}
    others = [other.backing.chain for other in vm.disks if other.key != disk.key]
    if any(each.file_name in chain for files in others for each in files):
        return "another disk of the guest uses it or a file that it is based on"
    if vm.snapshots is not None and vm.snapshots.roots:
        return "the guest has snapshots"
    if disk.backing.type_name != _FLAT:
        return f"it is a {disk.backing.type_name}, which may be more than a file of this guest"
    return None
