"""Create VMs: what was made before a step fails is removed."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simplestack import Conflict, EntityNotFound, GuestState, HypervisorError, SimplestackError
from simplestack_vmware.vsphere.changes.undo import Undo
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.disks.files import VmDisks
from simplestack_vmware.vsphere.disks.usage import DiskUsage
from simplestack_vmware.vsphere.inventory.names import decoded
from simplestack_vmware.vsphere.sessions.lookups import find_guest
from simplestack_vmware.vsphere.sessions.session import VmwareSession

if TYPE_CHECKING:
    from simplestack_vmware.sdk import vim

#: How long each task may take that removes what was made.
_REMOVAL_SECONDS = 60.0


def make_vm(
    session: VmwareSession,
    undo: Undo,
    config: "vim.vm.ConfigSpec",
    method: Callable[..., Any],
    *arguments: Any,
    **named: Any,
) -> Ref:
    """Run a task that makes a VM, and return the VM.

    The instance UUID is chosen before, so that the VM is also found if the response of the task is lost.

    :param undo: removes the VM, also if the task goes on after it was cancelled
    :param config: with the name and the instance UUID
    :param method: pyvmomi's; the further arguments are its own
    """
    guest_id = config.instanceUuid or ""
    undo.do_repeatable("removing the new guest", remove_new_vm, session, guest_id)
    task = session.tasks.start(method, *arguments, **named)
    try:
        made = session.tasks.outcome(task, session.api.last_method)
    except SimplestackError:  # perhaps it has not ended; a `Fault` says that it has
        undo.await_end(session, task, f"the creation of guest {decoded(config.name or '')!r}")
        raise
    if made is None:
        raise HypervisorError("vSphere says that the guest was created, but not which one it is")
    session.known_vms.remember(guest_id, made)
    return made


def start_vm(session: VmwareSession, vm: Ref) -> None:
    """Start a new VM."""
    session.tasks.run(session.api.object(vm).PowerOnVM_Task, of=vm)


def remove_new_vm(session: VmwareSession, guest_id: str) -> None:
    """Remove a VM that was made just now, if it was. All its disks were made with it.

    :raises Conflict: another VM already uses a file of it
    """
    try:
        vm = find_guest(session, guest_id, VmDisks)
    except EntityNotFound:
        return
    if vm.id != guest_id:
        raise Conflict(f"the VM {vm.name!r} is another one")
    use = DiskUsage.read(session, vm).find(file for disk in vm.disks for file in disk.backing.chain)
    if use is not None and use.doubt is None:  # VMs that cannot be read do not use files that are so new
        raise Conflict(f"guest {vm.name!r} stays: {use.of('a file of its disks')}")
    if vm.state != GuestState.STOPPED:
        session.tasks.run(session.vm(vm).PowerOffVM_Task, limit_seconds=_REMOVAL_SECONDS)
    session.tasks.run(session.vm(vm).Destroy_Task, limit_seconds=_REMOVAL_SECONDS)
    session.known_vms.forget(guest_id)
