"""Delete VMs. vSphere deletes all disks of a VM with it, also those that other VMs use."""

import logging
from typing import NoReturn

from simplestack import Conflict, EntityNotFound, SimplestackError
from simplestack_vmware.sdk import vim
from simplestack_vmware.vsphere.changes.undo import Undo
from simplestack_vmware.vsphere.connection.faults import Fault
from simplestack_vmware.vsphere.connection.limits import undoing
from simplestack_vmware.vsphere.disks.files import FileDisk, VmDisks
from simplestack_vmware.vsphere.disks.removal import reason_of_others, warn_of_kept
from simplestack_vmware.vsphere.disks.usage import DiskUsage
from simplestack_vmware.vsphere.inventory.names import decoded
from simplestack_vmware.vsphere.sessions.session import VmwareSession

_log = logging.getLogger(__name__)


def delete_vm(session: VmwareSession, vm: VmDisks) -> None:
    """Delete a VM with its own disks. Disks that others use, or may use, are detached first, and stay.

    A warning names them. If vSphere rejects the deletion, they are attached again.

    :raises EntityNotFound: ``Guest``: it has just been removed
    :raises Conflict: it has snapshots, and others use a file of its disks, or may use one
    :raises Busy: others have changed the VM since it was read
    """
    shared = _shared_disks(vm, DiskUsage.read(session, vm))
    try:
        if shared:
            # If others have changed the VM since it was read, vSphere rejects this.
            session.tasks.run(session.vm(vm).ReconfigVM_Task, _detaching(vm, shared))
        _destroy(session, vm, list(shared))
    except Fault as fault:
        if fault.is_a("ManagedObjectNotFound") and fault.fields.get("obj", vm.ref.value) == vm.ref.value:
            raise EntityNotFound("Guest", vm.id) from None
        raise
    session.known_vms.forget(vm.id)
    for disk, reason in shared.items():
        warn_of_kept(disk, reason)


def _shared_disks(vm: VmDisks, usage: DiskUsage) -> dict[FileDisk, str]:
    """Return the disks with a file that others use, or may use, and why they stay.

    :raises Conflict: there are such disks, and snapshots of them
    """
    current = {disk: reason_of_others(vm, disk, usage) for disk in vm.disks}
    shared = {disk: reason for disk, reason in current.items() if reason is not None}
    if vm.snapshots is None:
        return shared
    for disks in usage.snapshots.values():
        use = None if disks is None else usage.find(each for disk in disks for each in disk.backing.chain)
        if disks is None:
            _reject(vm, "vSphere does not show the disks of one")
        elif use is not None:
            _reject(vm, use.of("a file of their disks"), "" if use.doubt else f", or {use.guest},")
    for disk, reason in shared.items():
        _reject(vm, f"{disk.label} must stay, because {reason}")
    return shared


def _reject(vm: VmDisks, reason: str, alternative: str = "") -> NoReturn:
    raise Conflict(
        f"cannot delete guest {vm.name!r}: it has snapshots, and {reason}: "
        f"delete the snapshots{alternative} first"
    )


def _destroy(session: VmwareSession, vm: VmDisks, detached: list[FileDisk]) -> None:
    try:
        session.tasks.run(session.vm(vm).Destroy_Task)
    except Fault as fault:
        if detached and not _attach(session, vm, detached):
            raise _with_detached(fault, detached) from None
        raise
    except SimplestackError as error:
        # The task may still run: it would delete disks that are attached again.
        raise _with_detached(error, detached) from None


def _with_detached(error: Exception, disks: list[FileDisk]) -> BaseException:
    """Return an error that also says which disks the guest has lost."""
    remains = [f"{disk.label} stays detached, as {decoded(disk.backing.file_name)!r}" for disk in disks]
    return Undo().with_remains(error, remains)


def _attach(session: VmwareSession, vm: VmDisks, disks: list[FileDisk]) -> bool:
    """Attach disks again, and return whether they are."""
    changes = [
        vim.vm.device.VirtualDeviceSpec(operation="add", device=_device(disk, _backing(disk)))
        for disk in disks
    ]
    try:
        with undoing():
            session.tasks.run(session.vm(vm).ReconfigVM_Task, vim.vm.ConfigSpec(deviceChange=changes))
    except (Fault, SimplestackError) as failure:  # the client gets the first error
        _log.warning("the disks of guest %s cannot be attached again: %s", vm.name, failure)
        return False
    return True


def _detaching(vm: VmDisks, disks: dict[FileDisk, str]) -> "vim.vm.ConfigSpec":
    # Without a `fileOperation`, the file stays.
    changes = [
        vim.vm.device.VirtualDeviceSpec(operation="remove", device=_device(disk, None)) for disk in disks
    ]
    return vim.vm.ConfigSpec(deviceChange=changes, changeVersion=vm.change_version)


def _device(
    disk: FileDisk, backing: "vim.vm.device.VirtualDevice.BackingInfo | None"
) -> "vim.vm.device.VirtualDisk":
    return vim.vm.device.VirtualDisk(
        key=disk.key,
        controllerKey=disk.controller_key,
        unitNumber=disk.unit_number,
        backing=backing,
        capacityInKB=0,
    )


def _backing(disk: FileDisk) -> "vim.vm.device.VirtualDevice.BackingInfo":
    """Return the file of a disk, as vSphere attaches it: it finds the files below it itself."""
    backing = vim.vm.device.VirtualDisk.FlatVer2BackingInfo(
        fileName=disk.backing.file_name, diskMode=disk.backing.mode
    )
    if disk.backing.sharing is not None:
        backing.sharing = disk.backing.sharing
    return backing
