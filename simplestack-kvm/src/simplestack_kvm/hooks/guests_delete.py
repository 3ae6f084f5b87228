"""Delete guests, with what is certainly theirs alone."""

from simplestack import Conflict, EntityNotFound, GuestState, HypervisorError, InvalidState, hookimpl
from simplestack_kvm.errors import has_reason, public_reason_of
from simplestack_kvm.libvirtd.documents import parse_document
from simplestack_kvm.libvirtd.domains import end_remnant, find_domain, require_guest_state, state_of
from simplestack_kvm.libvirtd.nvram import delete_nvram
from simplestack_kvm.libvirtd.ownership import own_volumes
from simplestack_kvm.libvirtd.records import domain_record
from simplestack_kvm.libvirtd.session import KvmSession
from simplestack_kvm.sdk import libvirt

_ATTEMPT = "delete the guest"


@hookimpl
def guest_delete(session: KvmSession, guest_id: str) -> None:
    """Undefine a domain, then delete the volumes and the UEFI variables that are its own.

    What stays, with a warning: volumes that somebody else uses, or may use; ISO images; disks in no active
    pool. What stays silently, since it was never the guest's own: media, read-only, shareable and transient
    disks, and the backing files of its volumes.

    :raises InvalidState: the guest runs; also if somebody starts it meanwhile, and then nothing is lost
    :raises HypervisorError: a volume could not be deleted; the guest is gone
    """
    domain = find_domain(session, guest_id)
    require_guest_state(domain, _ATTEMPT, GuestState.STOPPED)
    text = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)
    document = parse_document(text)
    record = domain_record(document)
    own = own_volumes(session, record.uuid, record.disks)
    end_remnant(domain)
    _undefine(session, domain, record.uuid, text)
    left = own.delete()
    delete_nvram(session, document)
    if left:
        raise HypervisorError(
            f"the guest is gone, but not its volumes {', '.join(left)}: delete them by hand"
        )


def _undefine(session: KvmSession, domain: "libvirt.virDomain", guest_id: str, text: str) -> None:
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
            require_guest_state(domain, _ATTEMPT, GuestState.STOPPED)
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
        raise Conflict("somebody has defined the guest anew while it was being deleted: look at it again")
    try:
        session.connection.defineXML(text).setAutostart(is_autostarted)
    except libvirt.libvirtError as error:
        raise HypervisorError(
            "the guest was started while it was being deleted, and could not be defined again "
            f"({public_reason_of(error)}): it runs with its disks until it is stopped, and is gone then"
        ) from None
    raise InvalidState(_ATTEMPT, state_of(started), GuestState.STOPPED)
