"""Undefine domains."""

from simplestack import Conflict, EntityNotFound, GuestState, HypervisorError, InvalidState
from simplestack_kvm.errors import has_reason, public_reason_of
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.guests.domains import require_guest_state, state_of
from simplestack_kvm.sdk import libvirt

#: The attempt in errors about the guest's state.
DELETION = "delete"


def undefine(session: KvmSession, domain: "libvirt.virDomain", guest_id: str, text: str) -> None:
    """Undefine a domain that is off.

    libvirt undefines running domains as well, which then run on until they stop. So a domain that somebody
    has just started is defined again. No flag lets libvirt delete a saved memory image or the UEFI variables:
    it would do that for a running domain, too.

    :param text: the domain's description
    """
    is_autostarted = domain.autostart()
    failure = None
    try:
        domain.undefineFlags(
            libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
            | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
            | libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM
        )
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            raise EntityNotFound("Guest", guest_id) from None
        if error.get_error_code() == libvirt.VIR_ERR_OPERATION_INVALID:
            require_guest_state(domain, DELETION, GuestState.STOPPED)
        if has_reason(error):
            raise
        failure = error  # it may have succeeded, which the next look tells
    try:
        started = session.connection.lookupByUUIDString(guest_id)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return
        raise
    if started.isPersistent():
        if failure is not None:
            raise failure
        raise Conflict(
            "another client has redefined the guest while it was being deleted: check it, and try again"
        )
    try:
        session.connection.defineXML(text).setAutostart(is_autostarted)
    except libvirt.libvirtError as error:
        raise HypervisorError(
            "the guest was started while it was being deleted, and its definition could not be restored "
            f"({public_reason_of(error)}): it runs with its disks until it is stopped, and is deleted then"
        ) from None
    raise InvalidState(f"{DELETION} guest {started.name()!r}", state_of(started), GuestState.STOPPED)
