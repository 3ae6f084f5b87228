"""Disks of guests. Their id is the number of their device, as it was in the first Simplestack."""

from msgspec import UNSET

from simplestack import Conflict, Disk, DiskCreate, DiskUpdate, InvalidArguments, gib, gib_to_bytes, hookimpl
from simplestack_xen.entities import disk_entity
from simplestack_xen.failures import XapiFailure
from simplestack_xen.lookups import Drive, Sr, drives, find_disk_sr, find_drive, find_guest
from simplestack_xen.records import NULL, VbdRecord, VdiRecord
from simplestack_xen.session import XenSession
from simplestack_xen.undo import Undo


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
    sr = find_disk_sr(session, disk.storage_id)
    with Undo(session) as undo:
        image = create_image(
            session, undo, sr, gib_to_bytes(disk.size), disk.name or f"{vm.record.name_label} disk"
        )
        drive = create_drive(session, undo, vm.ref, image, bootable=False)
        if vm.record.power_state == "Running":
            session.api.call("VBD.plug", drive)
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
    drive = find_drive(session, find_guest(session, guest_id), disk_id)
    api = session.api
    if drive.record.currently_attached:
        api.call("VBD.unplug", drive.ref)
    api.call("VBD.destroy", drive.ref)
    if not drive.image.read_only and set(drive.image.VBDs) <= {drive.ref}:
        api.call("VDI.destroy", drive.record.VDI)


def grow(session: XenSession, drive: Drive, size_bytes: int) -> None:
    """Let a disk have a size.

    :raises InvalidArguments: it has more
    """
    if size_bytes < drive.image.virtual_size:
        raise InvalidArguments(
            f"size: disk {drive.record.userdevice} has {gib(drive.image.virtual_size):g} GiB and only grows, "
            f"{gib(size_bytes):g} GiB is less"
        )
    if size_bytes > drive.image.virtual_size:
        message = "VDI.resize_online" if drive.record.currently_attached else "VDI.resize"
        session.api.call(message, drive.record.VDI, size_bytes)


def create_image(session: XenSession, undo: Undo, sr: Sr, size_bytes: int, name: str) -> str:
    """Make an empty disk image; return its reference."""
    image = str(
        session.api.call(
            "VDI.create",
            {
                "name_label": name,
                "name_description": "",
                "SR": sr.ref,
                "virtual_size": size_bytes,
                "type": "user",
                "sharable": False,
                "read_only": False,
                "other_config": {},
            },
        )
    )
    undo.later("VDI.destroy", image)
    return image


def create_drive(session: XenSession, undo: Undo, vm: str, image: str, *, bootable: bool) -> str:
    """Give a VM a drive with a disk image in it; return its reference."""
    try:
        drive = str(session.api.call("VBD.create", drive_values(vm, image, bootable=bootable)))
    except XapiFailure as failure:
        if failure.code not in ("INVALID_DEVICE", "DEVICE_ALREADY_EXISTS"):
            raise
        # The device was XAPI's to choose.
        raise Conflict("the guest has no free device for another disk") from None
    undo.do(lambda: _remove_drive(session, drive), "VBD.destroy")
    return drive


def drive_values(vm: str, image: str, *, bootable: bool = False, kind: str = "Disk") -> dict[str, object]:
    """Return the record of a new drive on the first device that is free.

    :param image: the null reference makes an empty drive
    """
    return {
        "VM": vm,
        "VDI": image,
        "userdevice": "autodetect",
        "bootable": bootable,
        "mode": "RW" if kind == "Disk" else "RO",
        "type": kind,
        "unpluggable": True,
        "empty": image == NULL,
        "other_config": {},
        "qos_algorithm_type": "",
        "qos_algorithm_params": {},
    }


def _remove_drive(session: XenSession, drive: str) -> None:
    """Remove a drive that may be plugged in by now."""
    if session.api.read(VbdRecord, "VBD.get_record", drive).currently_attached:
        session.api.call("VBD.unplug", drive)
    session.api.call("VBD.destroy", drive)
