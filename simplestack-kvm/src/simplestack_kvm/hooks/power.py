"""Power of guests."""

import time

from simplestack import GuestState, OperationTimeout, hookimpl
from simplestack_kvm.errors import has_reason
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.guests.domains import (
    change_state,
    end_remnant,
    find_domain,
    is_off,
    require_guest_state,
    state_code,
    wait_until,
)
from simplestack_kvm.libvirtd.guests.templates import reject_template
from simplestack_kvm.sdk import libvirt

#: A booting guest ignores its power button, so it is pressed again after this time.
PRESS_AGAIN_SECONDS = 5.0


@hookimpl
def guest_start(session: KvmSession, guest_id: str) -> None:
    """Start a domain."""
    domain = find_domain(session, guest_id)
    reject_template(session, domain, "start")

    def start() -> None:
        end_remnant(domain)
        domain.create()

    change_state(domain, "start", (GuestState.STOPPED,), start)


@hookimpl
def guest_shutdown(session: KvmSession, guest_id: str, force: bool) -> None:
    """Press the ACPI power button (or ask the guest agent) and wait; with `force`, end the domain.

    With `force`, a saved memory image is discarded, too.
    """
    domain = find_domain(session, guest_id)
    if force:
        _force(domain)
    else:
        _ask(domain, session.settings.shutdown_timeout_seconds)


@hookimpl
def guest_suspend(session: KvmSession, guest_id: str) -> None:
    """Pause a domain in memory."""
    domain = find_domain(session, guest_id)
    change_state(domain, "pause", (GuestState.STARTED,), domain.suspend)


@hookimpl
def guest_resume(session: KvmSession, guest_id: str) -> None:
    """Resume a domain that is paused, suspended by its own power management, or saved to disk."""
    domain = find_domain(session, guest_id)
    reject_template(session, domain, "resume")

    def resume() -> None:
        code = state_code(domain)
        if code == libvirt.VIR_DOMAIN_PMSUSPENDED:
            domain.pMWakeup()
        elif code == libvirt.VIR_DOMAIN_PAUSED:
            domain.resume()
        else:
            domain.create()

    change_state(domain, "resume", (GuestState.PAUSED,), resume)


@hookimpl
def guest_reboot(session: KvmSession, guest_id: str, force: bool) -> None:
    """Reboot a domain through ACPI or the guest agent; with `force`, reset it."""
    domain = find_domain(session, guest_id)
    reject_template(session, domain, "reboot")
    action = domain.reset if force else domain.reboot
    change_state(domain, "reboot", (GuestState.STARTED,), action)


def _force(domain: "libvirt.virDomain") -> None:
    def stop() -> None:
        if domain.isActive():
            domain.destroy()
        else:
            domain.managedSaveRemove()

    change_state(domain, "cut the power of", (GuestState.STARTED, GuestState.PAUSED), stop)


def _ask(domain: "libvirt.virDomain", timeout_seconds: float) -> None:
    attempt = "shut down"
    deadline = time.monotonic() + timeout_seconds
    change_state(domain, attempt, (GuestState.STARTED,), lambda: _press(domain))
    while not wait_until(
        lambda: is_off(domain), min(PRESS_AGAIN_SECONDS, max(0.0, deadline - time.monotonic()))
    ):
        if time.monotonic() >= deadline:
            # Another client may have paused it, so that it cannot shut down.
            require_guest_state(domain, attempt, GuestState.STARTED)
            raise OperationTimeout(
                f"the guest did not shut down within {timeout_seconds:g} s: try again, or use "
                "force_stop, which cuts its power"
            )
        _press(domain)


def _press(domain: "libvirt.virDomain") -> None:
    try:
        domain.shutdown()
    except libvirt.libvirtError as error:
        # It may have just been stopped, so that QEMU closed the connection.
        if not has_reason(error) or not is_off(domain):
            raise
