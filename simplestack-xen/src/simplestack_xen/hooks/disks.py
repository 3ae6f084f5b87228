"""Disks of guests. Their id is the number of their device, as it was in the first Simplestack."""

from msgspec import UNSET

from simplestack import (
    Busy,
    Conflict,
    Disk,
    DiskCreate,
    DiskUpdate,
    InvalidArguments,
    gib,
    gib_to_bytes,
    hookimpl,
)
from simplestack_xen.entities import disk_entity
from simplestack_xen.errors import XapiFailure
from simplestack_xen.xapi.drives import Drive, drives, find_drive, require_known_bytes
from simplestack_xen.xapi.images import create_image, of_control_domains
from simplestack_xen.xapi.lookups import find_guest
from simplestack_xen.xapi.plugging import plug, remove, takes_devices
from simplestack_xen.xapi.records import NULL, VbdRecord, VdiRecord
from simplestack_xen.xapi.repositories import find_disk_sr
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.undo import Undo

#: What XAPI says where a disk in use cannot grow: the message was gone from XenServer 7.3 until 2026.
_NO_ONLINE_RESIZE = ("MESSAGE_REMOVED", "MESSAGE_METHOD_UNKNOWN", "SR_OPERATION_NOT_SUPPORTED")


@hookimpl
def disk_list(session: XenSession, guest_id: str) -> list[Disk]:
    """List a guest's disks: four round trips, or three."""
    found = drives(session, find_guest(session, guest_id).record)
    return [disk_entity(drive.record, drive.image) for drive in found]


@hookimpl
def disk_info(session: XenSession, guest_id: str, disk_id: str) -> Disk:
    """Show one disk of a guest."""
    drive = find_drive(session, find_guest(session, guest_id), disk_id)
    return disk_entity(drive.record, drive.image)


@hookimpl
def disk_create(session: XenSession, guest_id: str, disk: DiskCreate) -> Disk:
    """Make a disk and give it the first device that is free; plug it in where the guest runs."""
    vm = find_guest(session, guest_id)
    plugs_in = takes_devices(vm, "add a disk to")
    sr = find_disk_sr(session, disk.storage_id)
    with Undo(session) as undo:
        image = create_image(
            session, undo, sr, gib_to_bytes(disk.size), disk.name or f"{vm.record.name_label} disk"
        )
        drive = create_drive(session, undo, vm.ref, image, bootable=False)
        if plugs_in:
            plug(session, "VBD", drive)
        record = session.api.read(VbdRecord, "VBD.get_record", drive)
        return disk_entity(record, session.api.read(VdiRecord, "VDI.get_record", image))


@hookimpl
def disk_update(session: XenSession, guest_id: str, disk_id: str, changes: DiskUpdate) -> Disk:
    """Rename or grow a disk; one that is plugged in grows too, where its storage can do that."""
    drive = find_drive(session, find_guest(session, guest_id), disk_id)
    if changes.size is not UNSET:
        grow(session, drive, gib_to_bytes(changes.size))
    if changes.name is not UNSET:
        session.api.call("VDI.set_name_label", drive.record.VDI, changes.name, repeatable=True)
    return disk_entity(drive.record, session.api.read(VdiRecord, "VDI.get_record", drive.record.VDI))


@hookimpl
def disk_delete(session: XenSession, guest_id: str, disk_id: str) -> None:
    """Unplug a disk and remove it. An image that another guest uses too stays."""
    vm = find_guest(session, guest_id)
    drive = find_drive(session, vm, disk_id)
    others = set(drive.image.VBDs) - {drive.ref}
    if of_control_domains(session, others):
        raise Busy(f"disk {disk_id} is copied or backed up just now: try again when that has ended")
    with Undo(session) as undo:
        if drive.record.currently_attached:
            undo.do("VBD.plug", plug, session, "VBD", drive.ref)
            session.tasks.run("VBD.unplug", drive.ref)
        if others or drive.image.read_only:
            session.api.call("VBD.destroy", drive.ref)
        else:  # its drive goes with it
            session.tasks.run("VDI.destroy", drive.record.VDI)


def grow(session: XenSession, drive: Drive, size_bytes: int) -> None:
    """Let a disk have a size.

    :raises InvalidArguments: it has more
    :raises Conflict: its size is unknown; or it is in use, and its storage cannot let it grow then, as few
        versions of XAPI can
    """
    known_bytes = require_known_bytes(drive, "size")
    if size_bytes < known_bytes:
        raise InvalidArguments(
            f"size: disk {drive.record.userdevice} has {gib(known_bytes):g} GiB and only grows, "
            f"{gib(size_bytes):g} GiB is less"
        )
    if size_bytes == known_bytes:
        return
    if not drive.record.currently_attached:
        session.tasks.run("VDI.resize", drive.record.VDI, size_bytes)
        return
    try:
        session.tasks.run("VDI.resize_online", drive.record.VDI, size_bytes)
    except XapiFailure as failure:
        if failure.code not in _NO_ONLINE_RESIZE:
            raise
        raise Conflict(
            f"disk {drive.record.userdevice} is in use, and its storage cannot let it grow then "
            f"({failure.code}): shut the guest down first"
        ) from None


def create_drive(session: XenSession, undo: Undo, vm: str, image: str, *, bootable: bool) -> str:
    """Give a VM a drive with a disk image in it; return its reference."""
    try:
        drive = str(session.api.call("VBD.create", drive_values(vm, image, bootable=bootable)))
    except XapiFailure as failure:
        if failure.code not in ("INVALID_DEVICE", "DEVICE_ALREADY_EXISTS"):
            raise
        # The device was XAPI's to choose.
        raise Conflict("the guest has no free device for another disk") from None
    undo.do("VBD.destroy", remove, session, "VBD", drive)
    return drive


def drive_values(
    vm: str, image: str, *, bootable: bool = False, kind: str = "Disk", device: str = "autodetect"
) -> dict[str, object]:
    """Return the record of a new drive.

    :param image: the null reference makes an empty drive
    :param device: its number; else it is the first that is free
    """
    return {
        "VM": vm,
        "VDI": image,
        "userdevice": device,
        "bootable": bootable,
        "mode": "RW" if kind == "Disk" else "RO",
        "type": kind,
        "unpluggable": True,
        "empty": image == NULL,
        "other_config": {},
        "qos_algorithm_type": "",
        "qos_algorithm_params": {},
    }
