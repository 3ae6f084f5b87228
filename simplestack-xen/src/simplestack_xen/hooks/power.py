"""Power of guests."""

from simplestack import GuestState, hookimpl
from simplestack_xen.xapi.lookups import find_guest, require_guest_state
from simplestack_xen.xapi.session import XenSession

_STARTED, _STOPPED, _PAUSED = GuestState.STARTED, GuestState.STOPPED, GuestState.PAUSED


@hookimpl
def guest_start(session: XenSession, guest_id: str) -> None:
    """Start a guest."""
    vm = find_guest(session, guest_id)
    require_guest_state(vm, "start", _STOPPED)
    session.tasks.run.VM.start(vm.ref, False, False)


@hookimpl
def guest_shutdown(session: XenSession, guest_id: str, force: bool) -> None:
    """Ask the guest's tools to shut it down, and wait. With `force`, cut its power in any state."""
    vm = find_guest(session, guest_id)
    if force:
        require_guest_state(vm, "cut the power of", _STARTED, _PAUSED)
        session.tasks.run.VM.hard_shutdown(vm.ref)
        return
    require_guest_state(vm, "shut down", _STARTED)
    session.tasks.run.VM.clean_shutdown(vm.ref, limit_seconds=session.settings.shutdown_timeout_seconds)


@hookimpl
def guest_suspend(session: XenSession, guest_id: str) -> None:
    """Suspend a guest: its memory is written to a storage, as in first-generation Simplestack."""
    vm = find_guest(session, guest_id)
    require_guest_state(vm, "pause", _STARTED)
    session.tasks.run.VM.suspend(vm.ref)


@hookimpl
def guest_resume(session: XenSession, guest_id: str) -> None:
    """Resume a guest that is suspended to a storage, or was paused in memory by another client."""
    vm = find_guest(session, guest_id)
    require_guest_state(vm, "resume", _PAUSED)
    if vm.record.power_state == "Paused":
        session.tasks.run.VM.unpause(vm.ref)
    else:
        session.tasks.run.VM.resume(vm.ref, False, False)


@hookimpl
def guest_reboot(session: XenSession, guest_id: str, force: bool) -> None:
    """Ask the guest's tools to reboot it. With `force`, reset it."""
    vm = find_guest(session, guest_id)
    require_guest_state(vm, "reboot", _STARTED)
    if force:
        session.tasks.run.VM.hard_reboot(vm.ref)
    else:
        session.tasks.run.VM.clean_reboot(vm.ref, limit_seconds=session.settings.shutdown_timeout_seconds)
