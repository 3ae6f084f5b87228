"""Check names, define new guests, and rename guests."""

from contextlib import suppress

from simplestack import Conflict, EntityNotFound, GuestState, InvalidArguments, forbidden_in_xml, free_name
from simplestack_kvm.errors import has_reason
from simplestack_kvm.libvirtd.changes.undo import Step
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.guests.domains import find_domain, require_guest_state
from simplestack_kvm.sdk import libvirt

#: libvirt stores a domain or a network in a file with its name and the suffix ``.xml.new``.
MAX_NAME_BYTES = 255 - len(".xml.new")


def check_name(session: KvmSession, name: str) -> None:
    """Check that `name` is a valid and unused guest name.

    :raises InvalidArguments: libvirt does not support the name
    :raises Conflict: another guest has this name
    """
    check_spelling(name, "guest")
    if is_taken(session, name):
        raise Conflict.of_name("guest", name)


def check_spelling(name: str, kind: str) -> None:
    """Check that libvirt can store the name of what it keeps in a file.

    :param kind: whose name it is, such as ``guest``
    :raises InvalidArguments: it cannot
    """
    check_characters(name, kind)
    # libvirt makes paths of names, and of a dot alone one that it then tries to delete.
    if "/" in name or not name.strip(" .") or len(name.encode()) > MAX_NAME_BYTES:
        raise InvalidArguments(
            f"`name`: {name[:80]!r} is not a valid {kind} name: it must not have a slash "
            f"or only dots, and be at most {MAX_NAME_BYTES} bytes long"
        )


def check_characters(name: str | None, kind: str) -> None:
    """Check that libvirt's XML can contain a name. libvirt's own error has the whole document.

    :param kind: whose name it is, such as ``disk``
    :raises InvalidArguments: it cannot
    """
    forbidden = forbidden_in_xml(name or "")
    if name and forbidden is not None:
        raise InvalidArguments(
            f"`name`: {name[:80]!r} has the character {forbidden}, which XML and thus libvirt "
            f"cannot store: choose another {kind} name"
        )


def unused_name(session: KvmSession, name: str) -> str:
    """Return the name, or ``NAME (2)`` or the next free name if a guest has it.

    :raises InvalidArguments: libvirt does not support the name
    """
    check_spelling(name, "guest")
    return free_name(name, lambda each: is_taken(session, each), max_bytes=MAX_NAME_BYTES)


def is_taken(session: KvmSession, name: str) -> bool:
    """Return whether a guest has this name."""
    try:
        session.connection.lookupByName(name)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return False
        raise
    return True


def define_guest(session: KvmSession, text: str, guest_id: str, name: str) -> "libvirt.virDomain":
    """Define a new guest.

    :param text: its description, with this UUID and name
    :raises Conflict: another client has used the name meanwhile
    """
    try:
        return session.connection.defineXML(text)
    except libvirt.libvirtError as error:
        if not has_reason(error):
            # It may have succeeded: then a guest with the new UUID exists, and uses the new volumes.
            with suppress(EntityNotFound):
                return find_domain(session, guest_id)
        # libvirt has no error number for that.
        elif is_taken(session, name):
            raise Conflict.of_name("guest", name) from None
        raise


def renaming(session: KvmSession, domain: "libvirt.virDomain", old_name: str, name: str) -> Step:
    """Return the step that renames a guest. The guest must be stopped."""

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
                require_guest_state(domain, "rename", GuestState.STOPPED)
            if is_taken(session, name):
                raise Conflict.of_name("guest", name) from None
            raise

    def rename_back() -> None:
        # The object keeps its old name. A third name was set by another client.
        if find_domain(session, domain.UUIDString()).name() == name:
            domain.rename(old_name)

    return Step(apply=rename, undo=rename_back, undoing=f"giving the guest its former name {old_name!r}")
