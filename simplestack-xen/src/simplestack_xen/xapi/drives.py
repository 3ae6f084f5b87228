"""Drives of guests (XAPI's VBDs), and the disk images (VDIs) in them."""

from collections.abc import Mapping
from typing import NamedTuple

from simplestack import Conflict, EntityNotFound, GuestState, require_state
from simplestack_xen.sdk import XenAPI
from simplestack_xen.xapi.lookups import Vm, is_set
from simplestack_xen.xapi.plugging import remove
from simplestack_xen.xapi.records import NULL, VbdRecord, VdiRecord, VdiSummary, VmRecord
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.undo import Undo

#: XAPI chooses the first free device.
AUTODETECT = "autodetect"
#: Key in the ``other_config`` of a disk image with data for cloud-init, and of its VM: the VM's UUID.
CLOUD_INIT_KEY = "simplestack:cloud-init"


class Drive(NamedTuple):
    """A drive of a VM, and its disk image."""

    ref: str
    record: VbdRecord
    image: VdiRecord


def is_for_cloud_init(image: VdiSummary) -> bool:
    """Return whether a disk image has data for cloud-init. It is no disk for clients."""
    return CLOUD_INIT_KEY in image.other_config


def disks(session: XenSession, vm: VmRecord) -> list[Drive]:
    """Return the drives with the disks that clients see, in device order: two round trips."""
    return [drive for drive in drives(session, vm) if not is_for_cloud_init(drive.image)]


def drives(session: XenSession, *vms: VmRecord) -> list[Drive]:
    """Return all drives of VMs with a disk, in device order: two round trips."""
    refs = [ref for vm in vms for ref in vm.VBDs]
    return filled(session, {ref: vbd for ref, vbd in vbds(session, refs).items() if vbd.type == "Disk"})


def vbds(session: XenSession, refs: list[str]) -> dict[str, VbdRecord]:
    """Return drives of all types, in device order: one round trip."""
    records = session.api.read_some(VbdRecord, "VBD", refs)
    return dict(sorted(records.items(), key=lambda item: item[1].position))


def filled(session: XenSession, records: Mapping[str, VbdRecord]) -> list[Drive]:
    """Return drives with their disk images. Empty drives are left out."""
    images = session.api.read_some(VdiRecord, "VDI", [vbd.VDI for vbd in records.values()])
    return [Drive(ref, vbd, images[vbd.VDI]) for ref, vbd in records.items() if vbd.VDI in images]


def find_drive(session: XenSession, vm: Vm, disk_id: str) -> Drive:
    """Find a disk of a guest.

    :raises EntityNotFound: ``Disk``
    """
    for drive in disks(session, vm.record):
        if drive.record.userdevice == disk_id:
            return drive
    raise EntityNotFound("Disk", disk_id)


def find_cd_drive(session: XenSession, vm: Vm) -> tuple[str, VbdRecord] | None:
    """Return a VM's first CD drive; None if it has none."""
    cd_drives = ((ref, vbd) for ref, vbd in vbds(session, vm.record.VBDs).items() if vbd.type == "CD")
    return next(cd_drives, None)


def create_drive(
    session: XenSession, undo: Undo, vm: str, image: str, *, bootable: bool, device: str = AUTODETECT
) -> str:
    """Add a drive with a disk image to a VM, and return its reference.

    :param device: device number, if it is free. Default: the first free one
    """
    try:
        values = drive_values(vm, image, bootable=bootable, device=device)
        drive = str(session.xenapi.VBD.create(values))
    except XenAPI.Failure as failure:
        if failure.details[0] not in ("INVALID_DEVICE", "DEVICE_ALREADY_EXISTS"):
            raise
        if device != AUTODETECT:
            return create_drive(session, undo, vm, image, bootable=bootable)
        raise Conflict("the guest has no free device for another disk: delete a disk first") from None
    undo.do("VBD.destroy", remove, session, "VBD", drive)
    return drive


def insert(session: XenSession, undo: Undo, vm: Vm, image: str) -> None:
    """Insert an image into a VM's CD drive, instead of the current one. Create a drive if it has none."""
    drive = find_cd_drive(session, vm)
    if drive is None:
        # Xen cannot plug a CD drive into a running VM.
        attempt = f"insert an ISO image into guest {vm.record.name_label!r}, which has no CD drive,"
        require_state(vm.record.state, GuestState.STOPPED, attempt=attempt)
        ref = str(session.xenapi.VBD.create(drive_values(vm.ref, NULL, kind="CD")))
        undo.later(session.xenapi.VBD.destroy, ref)
    else:
        ref, record = drive
        if not record.empty and image == record.VDI:
            return
        if not record.empty:
            session.xenapi.VBD.eject(ref)
            if is_set(record.VDI):
                undo.do("VBD.insert", session.xenapi.VBD.insert, ref, record.VDI)
    session.xenapi.VBD.insert(ref, image)


def drive_values(
    vm: str, image: str, *, bootable: bool = False, kind: str = "Disk", device: str = AUTODETECT
) -> dict[str, object]:
    """Return the record of a new drive.

    :param image: the disk image; the null reference for an empty drive
    :param device: device number. Default: the first free one
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
