"""Copies of the files of disks."""

from typing import TYPE_CHECKING, NamedTuple

from simplestack import HypervisorError, SimplestackError
from simplestack_vmware.sdk import vim
from simplestack_vmware.vsphere.changes.undo import Undo
from simplestack_vmware.vsphere.connection.faults import Fault
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.sessions.session import VmwareSession

if TYPE_CHECKING:
    Manager = vim.VirtualDiskManager

#: How long the removal of a copy may take.
_REMOVAL_SECONDS = 60.0


class DiskFile(NamedTuple):
    """The file of a disk, ``[datastore] path``."""

    path: str
    is_thin: bool = True


def copy_disk(session: VmwareSession, undo: Undo, source: DiskFile, target: str, datacenter: Ref) -> None:
    """Copy a disk with all that it is based on to a new file.

    :param undo: removes the copy
    :param target: its path, in a folder that is there
    :raises Fault: FileAlreadyExists: there is such a file, which stays as it is
    """
    manager, api = _manager(session), session.api
    place = api.object(datacenter)
    # vCenter copies as it likes: it rejects a specification.
    spec = None if api.is_vcenter else _spec(source)
    task = None
    try:
        copy = manager.CopyVirtualDisk_Task
        task = session.tasks.start(copy, source.path, place, target, place, spec, False)
        session.tasks.outcome(task, api.last_method)
    except SimplestackError:  # perhaps it took effect, or will; a `Fault` says that it did not
        undo.do_repeatable(f"removing {target}", _remove, session, target, datacenter)
        if task is not None:
            undo.await_end(session, task, f"the copy to {target}")
        raise
    undo.do_repeatable(f"removing {target}", _remove, session, target, datacenter)


def _remove(session: VmwareSession, path: str, datacenter: Ref) -> None:
    remove, place = _manager(session).DeleteVirtualDisk_Task, session.api.object(datacenter)
    try:
        session.tasks.run(remove, path, place, limit_seconds=_REMOVAL_SECONDS)
    except Fault as fault:
        # It was not copied; or the new guest has it already, and it goes with the guest.
        if not fault.is_a("FileNotFound") and not fault.is_a("FileLocked"):
            raise


def _spec(source: DiskFile) -> "vim.VirtualDiskManager.VirtualDiskSpec":
    return vim.VirtualDiskManager.VirtualDiskSpec(
        diskType="thin" if source.is_thin else "preallocated", adapterType="lsiLogic"
    )


def _manager(session: VmwareSession) -> "Manager":
    manager = session.api.content.virtualDiskManager
    if manager is None:
        raise HypervisorError("the host has no manager of virtual disks")
    return manager
