"""Find domains, check and await their state, and change them."""

import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

from simplestack import EntityNotFound, GuestState, is_uuid, require_state
from simplestack_kvm.errors import needing_parts
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.guests.records import state_of_code
from simplestack_kvm.sdk import libvirt

POLL_SECONDS = 0.2


def find_domain(session: KvmSession, guest_id: str) -> "libvirt.virDomain":
    """Find a domain by its UUID.

    :raises EntityNotFound: ``Guest``, also if it is not a UUID
    """
    if not is_uuid(guest_id):
        raise EntityNotFound("Guest", guest_id)
    try:
        return session.connection.lookupByUUIDString(guest_id)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            raise EntityNotFound("Guest", guest_id) from None
        raise


def state_code(domain: "libvirt.virDomain") -> int:
    """Return libvirt's number of the state."""
    state: Any = domain.state()  # the binding's own annotation says str
    return int(state[0])


def state_of(domain: "libvirt.virDomain") -> GuestState:
    """Return the power state. A stopped domain with a saved memory image is paused."""
    code = state_code(domain)
    return state_of_code(
        code, saved=code == libvirt.VIR_DOMAIN_SHUTOFF and bool(domain.hasManagedSaveImage())
    )


def require_guest_state(domain: "libvirt.virDomain", attempt: str, *needed: GuestState) -> None:
    """Check that a guest is in one of the states that an operation needs.

    :param attempt: what was tried with it, such as ``start``
    :raises InvalidState: the guest is in another state
    """
    require_state(state_of(domain), *needed, attempt=f"{attempt} guest {domain.name()!r}")


def change_state(
    domain: "libvirt.virDomain", attempt: str, needed: tuple[GuestState, ...], action: Callable[[], object]
) -> None:
    """Run an action that some power states allow. Concurrent changes of the state raise InvalidState, too.

    :param attempt: what is tried with it, such as ``start``
    :raises InvalidState: the state is another, or has changed
    :raises Conflict: a part of the guest is missing
    """
    require_guest_state(domain, attempt, *needed)
    try:
        with needing_parts(f"{attempt} guest {domain.name()!r}"):
            action()
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_OPERATION_INVALID:
            require_guest_state(domain, attempt, *needed)
        raise


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Poll until the condition is true. Return False at the time limit."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def is_off(domain: "libvirt.virDomain") -> bool:
    """Return whether a domain is stopped. A transient domain no longer exists then."""
    try:
        return state_of_code(state_code(domain)) == GuestState.STOPPED
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return True
        raise


def modification_flags(domain: "libvirt.virDomain") -> int:
    """Return the flags for a change of the running guest, its definition, or both."""
    active, persistent = domain.isActive(), domain.isPersistent()
    live: int = libvirt.VIR_DOMAIN_AFFECT_LIVE if active else 0
    config: int = libvirt.VIR_DOMAIN_AFFECT_CONFIG if persistent else 0
    return live | config


def end_remnant(domain: "libvirt.virDomain") -> None:
    """Destroy a crashed guest: libvirt may still have its process, and report it as active."""
    # Only what has crashed: a guest that is active without that was started by somebody else just now.
    if state_code(domain) == libvirt.VIR_DOMAIN_CRASHED and domain.isActive():
        domain.destroy()


def document_of(domain: "libvirt.virDomain", flags: int = 0) -> ET.Element:
    """Read a domain's description, including its secrets."""
    return parse_document(domain.XMLDesc(flags | libvirt.VIR_DOMAIN_XML_SECURE))
