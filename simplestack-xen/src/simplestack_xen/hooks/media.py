"""The CD drive."""

from simplestack import Media, hookimpl
from simplestack_xen.xapi.drives import find_cd_drive, insert
from simplestack_xen.xapi.images import find_image
from simplestack_xen.xapi.lookups import find_guest, is_set
from simplestack_xen.xapi.records import VdiRecord
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.undo import Undo


@hookimpl
def media_info(session: XenSession, guest_id: str) -> Media:
    """Show which ISO image is in a guest's first CD drive."""
    drive = find_cd_drive(session, find_guest(session, guest_id))
    if drive is None or drive[1].empty or not is_set(drive[1].VDI):
        return Media(name=None)
    image = session.api.read_if_there(VdiRecord, "VDI", drive[1].VDI)
    return Media(name=None if image is None else image.name_label)


@hookimpl
def media_mount(session: XenSession, guest_id: str, name: str) -> None:
    """Insert an image of an ISO storage, by name or UUID, into the guest's CD drive."""
    vm = find_guest(session, guest_id)
    image, _ = find_image(session, name, "ISO")
    with Undo() as undo:
        insert(session, undo, vm, image)


@hookimpl
def media_unmount(session: XenSession, guest_id: str) -> None:
    """Eject the ISO image from the guest's CD drive."""
    drive = find_cd_drive(session, find_guest(session, guest_id))
    if drive is not None and not drive[1].empty:
        session.xenapi.VBD.eject(drive[0])
