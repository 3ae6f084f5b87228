"""Power of guests."""

import contextlib
from collections.abc import Callable

from simplestack import Busy, EntityNotFound, GuestState, OperationTimeout, hookimpl, time_left_seconds
from simplestack_vmware.vsphere.connection.faults import Fault
from simplestack_vmware.vsphere.inventory.records import VmState, VmSummary
from simplestack_vmware.vsphere.sessions.lookups import find_guest, require_guest_state
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simplestack_vmware.vsphere.tasks.watching import Gone

_STARTED, _STOPPED, _PAUSED = GuestState.STARTED, GuestState.STOPPED, GuestState.PAUSED


@hookimpl
def guest_start(session: VmwareSession, guest_id: str) -> None:
    """Start a guest."""
    vm = find_guest(session, guest_id, VmState)
    require_guest_state(vm, "start", _STOPPED)
    session.tasks.run(session.vm(vm).PowerOnVM_Task, of=vm.ref)


@hookimpl
def guest_shutdown(session: VmwareSession, guest_id: str, force: bool) -> None:
    """Ask the guest's tools to shut it down, and wait. With `force`, cut its power in any state."""
    vm = find_guest(session, guest_id, VmState)
    if force:
        require_guest_state(vm, "cut the power of", _STARTED, _PAUSED)
        _cut_power(session, vm)
        return
    require_guest_state(vm, "shut down", _STARTED)
    _ask_tools(session, vm, session.vm(vm).ShutdownGuest)
    _wait_until_off(session, vm)


@hookimpl
def guest_suspend(session: VmwareSession, guest_id: str) -> None:
    """Suspend a guest: its memory is written to its datastore, as in first-generation Simplestack."""
    vm = find_guest(session, guest_id, VmState)
    require_guest_state(vm, "pause", _STARTED)
    session.tasks.run(session.vm(vm).SuspendVM_Task)


@hookimpl
def guest_resume(session: VmwareSession, guest_id: str) -> None:
    """Resume a suspended guest."""
    vm = find_guest(session, guest_id, VmState)
    require_guest_state(vm, "resume", _PAUSED)
    session.tasks.run(session.vm(vm).PowerOnVM_Task, of=vm.ref)


@hookimpl
def guest_reboot(session: VmwareSession, guest_id: str, force: bool) -> None:
    """Ask the guest's tools to reboot it, which vSphere does not wait for. With `force`, reset it."""
    vm = find_guest(session, guest_id, VmState)
    require_guest_state(vm, "reboot", _STARTED)
    if force:
        session.tasks.run(session.vm(vm).ResetVM_Task)
    else:
        _ask_tools(session, vm, session.vm(vm).RebootGuest)


def _ask_tools(session: VmwareSession, vm: VmState, ask: Callable[[], object]) -> None:
    """Ask a guest's tools for something.

    :raises Busy: they are installed and do not run, as in a guest that is starting
    """
    try:
        ask()
    except Fault as fault:
        now = session.reader.read_one(VmSummary, vm.ref) if fault.is_a("ToolsUnavailable") else None
        if now is None or now.tools_status in (None, "guestToolsNotInstalled"):
            raise
        raise Busy("the guest's VMware Tools do not run yet: try again later, or use `force`") from None


def _cut_power(session: VmwareSession, vm: VmState) -> None:
    """Power a VM off. If vSphere does not do this to suspended VMs, as documented, resume it first."""
    try:
        session.tasks.run(session.vm(vm).PowerOffVM_Task)
    except Fault as fault:
        if vm.state != _PAUSED or not fault.is_a("InvalidPowerState"):
            raise
        session.tasks.run(session.vm(vm).PowerOnVM_Task, of=vm.ref)
        session.tasks.run(session.vm(vm).PowerOffVM_Task)


def _wait_until_off(session: VmwareSession, vm: VmState) -> None:
    """Wait until a guest is off: no task tells.

    :raises OperationTimeout: it did not shut down in time
    :raises EntityNotFound: ``Guest``: somebody has removed it meanwhile
    """
    limit = min(session.settings.shutdown_timeout_seconds, max(0.0, time_left_seconds()))
    changes = session.tasks.watcher.changes({vm.ref: ("runtime.powerState",)}, limit)
    try:
        with contextlib.closing(changes):
            for values in changes:
                state = values.get((vm.ref.value, "runtime.powerState"))
                if state is not None and state.text == "poweredOff":
                    return
    except Gone:
        raise EntityNotFound("Guest", vm.id) from None
    raise OperationTimeout(
        f"guest {vm.name!r} did not shut down within {limit:.3g} s: try again later, or use `force_stop`"
    )
