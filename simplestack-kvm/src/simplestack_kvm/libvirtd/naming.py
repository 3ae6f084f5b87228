"""Names of guests: which libvirt can keep, which are taken, and a guest's change of its own."""

from simplestack import Conflict, GuestState, InvalidArguments
from simplestack_kvm.errors import has_reason
from simplestack_kvm.libvirtd.domains import find_domain, require_guest_state
from simplestack_kvm.libvirtd.session import KvmSession
from simplestack_kvm.libvirtd.undo import Step
from simplestack_kvm.sdk import libvirt

#: libvirt keeps a domain in a file of its name, and writes that with ``.xml.new`` at its end.
MAX_NAME_BYTES = 255 - len(".xml.new")


def check_name(session: KvmSession, name: str) -> None:
    """Pass a name that a guest can have.

    :raises InvalidArguments: libvirt cannot keep it
    :raises Conflict: another guest has it
    """
    # libvirt makes paths of names, and of a dot alone one that it then tries to delete.
    if "/" in name or not name.strip(" .") or len(name.encode()) > MAX_NAME_BYTES:
        raise InvalidArguments(
            f"`name` {name[:80]!r} cannot be a guest's: it must have no slash, more than dots and be at most "
            f"{MAX_NAME_BYTES} bytes long"
        )
    if is_taken(session, name):
        raise taken(name)


def taken(name: str) -> Conflict:
    """Return the error of a name that another guest has."""
    return Conflict(f"the name {name!r} is taken by another guest: choose another one")


def is_taken(session: KvmSession, name: str) -> bool:
    """Tell whether a guest has this name."""
    try:
        session.connection.lookupByName(name)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return False
        raise
    return True


def renaming(session: KvmSession, domain: "libvirt.virDomain", old_name: str, name: str) -> Step:
    """Return the change of a guest's name. The guest must be off."""

    def rename() -> None:
        try:
            domain.rename(name)
        except libvirt.libvirtError as error:
            if not has_reason(error):
                # It may have succeeded: then the guest that has the new name is this one.
                if find_domain(session, domain.UUIDString()).name() == name:
                    return
                raise
            if error.get_error_code() == libvirt.VIR_ERR_OPERATION_INVALID:
                require_guest_state(domain, "rename the guest", GuestState.STOPPED)
            if is_taken(session, name):
                raise taken(name) from None
            raise

    def rename_back() -> None:
        # The object keeps the name that it was found with. A third name is somebody else's doing.
        if find_domain(session, domain.UUIDString()).name() == name:
            domain.rename(old_name)

    return Step(apply=rename, undo=rename_back, remains=f"the guest could not be named {old_name!r} again")
