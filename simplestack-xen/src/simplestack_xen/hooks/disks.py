"""Disks of guests. Their ID is the device number, as in first-generation Simplestack."""

from msgspec import UNSET

from simplestack import (
    Busy,
    Disk,
    DiskCreate,
    DiskUpdate,
    gib_to_bytes,
    hookimpl,
)
from simplestack_xen.entities import disk_entity
from simplestack_xen.xapi.drives import create_drive, disks, find_drive
from simplestack_xen.xapi.growth import grow
from simplestack_xen.xapi.images import create_image, of_control_domains
from simplestack_xen.xapi.lookups import find_guest
from simplestack_xen.xapi.making import Making
from simplestack_xen.xapi.plugging import plug, takes_devices
from simplestack_xen.xapi.records import VbdRecord, VdiRecord
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.storages import find_disk_sr, sr_beside
from simplestack_xen.xapi.undo import Undo


@hookimpl
def disk_list(session: XenSession, guest_id: str) -> list[Disk]:
    """List a guest's disks."""
    guest = find_guest(session, guest_id)
    return [disk_entity(drive.record, drive.image) for drive in disks(session, guest.record)]


@hookimpl
def disk_info(session: XenSession, guest_id: str, disk_id: str) -> Disk:
    """Show one disk of a guest."""
    drive = find_drive(session, find_guest(session, guest_id), disk_id)
    return disk_entity(drive.record, drive.image)


@hookimpl
def disk_create(session: XenSession, guest_id: str, disk: DiskCreate) -> Disk:
    """Create a disk at the first free device, and plug it in if the guest runs."""
    vm = find_guest(session, guest_id)
    plugs_in = takes_devices(vm, "add a disk to")
    named = disk.storage_id
    sr = sr_beside(session, vm.record) if named is None else find_disk_sr(session, named)
    making = Making(session)
    with Undo() as undo:
        name = disk.name or f"{vm.record.name_label} disk"
        image = create_image(session, undo, making, sr, gib_to_bytes(disk.size), name=name)
        making.finish()  # before anybody can use the disk, and take it out of the guest
        drive = create_drive(session, undo, vm.ref, image, bootable=False)
        if plugs_in:
            plug(session, "VBD", drive)
        record = session.api.read(VbdRecord, "VBD.get_record", drive)
        return disk_entity(record, session.api.read(VdiRecord, "VDI.get_record", image))


@hookimpl
def disk_update(session: XenSession, guest_id: str, disk_id: str, changes: DiskUpdate) -> Disk:
    """Rename or grow a disk. A disk in use can grow only if its storage supports that."""
    drive = find_drive(session, find_guest(session, guest_id), disk_id)
    if changes.size is not UNSET:
        grow(session, drive, gib_to_bytes(changes.size))
    if changes.name is not UNSET:
        session.xenapi.VDI.set_name_label(drive.record.VDI, changes.name)
    return disk_entity(drive.record, session.api.read(VdiRecord, "VDI.get_record", drive.record.VDI))


@hookimpl
def disk_delete(session: XenSession, guest_id: str, disk_id: str) -> None:
    """Unplug a disk and delete it. An image that another guest also uses is kept."""
    vm = find_guest(session, guest_id)
    drive = find_drive(session, vm, disk_id)
    others = set(drive.image.VBDs) - {drive.ref}
    if of_control_domains(session, others):
        raise Busy(f"disk {disk_id} is being copied or backed up: try again later")
    with Undo() as undo:
        if drive.record.currently_attached:
            undo.do("VBD.plug", plug, session, "VBD", drive.ref)
            session.tasks.run.VBD.unplug(drive.ref)
        if others or drive.image.read_only:
            session.xenapi.VBD.destroy(drive.ref)
        else:  # its drive goes with it
            session.tasks.run.VDI.destroy(drive.record.VDI)
