"""The CD drive."""

from simplestack import GuestState, Media, hookimpl, require_state
from simplestack_vmware.entities import media_entity
from simplestack_vmware.vsphere.changes.reconfiguring import reconfigure
from simplestack_vmware.vsphere.inventory.devices import cd_drive
from simplestack_vmware.vsphere.inventory.records import VmHardware
from simplestack_vmware.vsphere.inventory.walks import TO_ITS_HOSTS_DATASTORES
from simplestack_vmware.vsphere.media.drives import (
    VmMedia,
    added,
    ejected,
    has_iso,
    inserted,
    is_in,
    require_no_question,
)
from simplestack_vmware.vsphere.media.images import IsoStore, all_iso_stores, find_iso
from simplestack_vmware.vsphere.media.locks import override_lock
from simplestack_vmware.vsphere.sessions.lookups import (
    find_guest,
    find_guest_with,
    require_not_template,
)
from simplestack_vmware.vsphere.sessions.session import VmwareSession


@hookimpl
def media_info(session: VmwareSession, guest_id: str) -> Media:
    """Show the path of the ISO image in a guest's first CD drive, ``[datastore] path``."""
    return media_entity(cd_drive(find_guest(session, guest_id, VmHardware).devices))


@hookimpl
def media_mount(session: VmwareSession, guest_id: str, name: str) -> None:
    """Insert an ISO image into a guest's first CD drive, also if the guest has locked the drive.

    :param name: its path, ``[datastore] path``, or its name in any datastore of the guest's host; of all
        datastores if the user may not read the host
    :raises InvalidState: the guest has no CD drive, and is not stopped
    :raises Conflict: several images have the name, or vSphere asks another question about the guest
    """
    vm, others = find_guest_with(session, guest_id, VmMedia, TO_ITS_HOSTS_DATASTORES, [IsoStore])
    require_not_template(vm, "insert an ISO image into")
    drive = cd_drive(vm.devices)
    if drive is None:
        attempt = f"insert an ISO image into guest {vm.name!r}, which has no CD drive,"
        require_state(vm.state, GuestState.STOPPED, attempt=attempt)
    stores = [each for each in others if isinstance(each, IsoStore)]
    iso = find_iso(session, stores or all_iso_stores(session), name)
    if drive is not None and is_in(drive, iso, is_on=vm.state == GuestState.STARTED):
        return
    require_no_question(vm)
    reconfigure(session, vm, added(vm, iso) if drive is None else inserted(drive, iso), answer=override_lock)


@hookimpl
def media_unmount(session: VmwareSession, guest_id: str) -> None:
    """Eject the ISO image from a guest's first CD drive, also if the guest has locked the drive.

    :raises Conflict: vSphere asks another question about the guest
    """
    vm = find_guest(session, guest_id, VmMedia)
    require_not_template(vm, "eject the ISO image from")
    drive = cd_drive(vm.devices)
    if drive is not None and has_iso(drive):
        require_no_question(vm)
        reconfigure(session, vm, ejected(drive), answer=override_lock)
