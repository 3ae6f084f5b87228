"""The CD drive."""

from simplestack import GuestState, Media, hookimpl, require_state
from simplestack_xen.hooks.disks import drive_values
from simplestack_xen.xapi.drives import vbds
from simplestack_xen.xapi.images import find_image
from simplestack_xen.xapi.lookups import Vm, find_guest, is_set
from simplestack_xen.xapi.records import NULL, VbdRecord, VdiRecord
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.undo import Undo


@hookimpl
def media_info(session: XenSession, guest_id: str) -> Media:
    """Show what is in a guest's first CD drive."""
    drive = _drive(session, find_guest(session, guest_id))
    if drive is None or drive[1].empty or not is_set(drive[1].VDI):
        return Media(name=None)
    return Media(name=session.api.read(VdiRecord, "VDI.get_record", drive[1].VDI).name_label)


@hookimpl
def media_mount(session: XenSession, guest_id: str, name: str) -> None:
    """Put an image of an ISO storage into the guest's CD drive, by its name or its UUID."""
    vm = find_guest(session, guest_id)
    image, _ = find_image(session, name, "ISO")
    with Undo(session) as undo:
        insert(session, undo, vm, image)


@hookimpl
def media_unmount(session: XenSession, guest_id: str) -> None:
    """Empty the guest's CD drive."""
    drive = _drive(session, find_guest(session, guest_id))
    if drive is not None and not drive[1].empty:
        session.api.call("VBD.eject", drive[0])


def insert(session: XenSession, undo: Undo, vm: Vm, image: str) -> None:
    """Put an image into a VM's CD drive, in place of what is there; make a drive where there is none."""
    api = session.api
    drive = _drive(session, vm)
    if drive is None:
        # Xen plugs no CD drive into a machine that runs.
        attempt = f"insert media into guest {vm.record.name_label!r}, which has no CD drive,"
        require_state(vm.record.state, GuestState.STOPPED, attempt=attempt)
        ref = str(api.call("VBD.create", drive_values(vm.ref, NULL, kind="CD")))
        undo.later("VBD.destroy", ref)
    else:
        ref, record = drive
        if not record.empty and image == record.VDI:
            return
        if not record.empty:
            api.call("VBD.eject", ref)
            if is_set(record.VDI):
                undo.later("VBD.insert", ref, record.VDI)
    api.call("VBD.insert", ref, image)


def _drive(session: XenSession, vm: Vm) -> tuple[str, VbdRecord] | None:
    """Return a VM's first CD drive."""
    found = ((ref, vbd) for ref, vbd in vbds(session, vm.record.VBDs).items() if vbd.type == "CD")
    return next(found, None)
