"""Guests' drives: XAPI's VBDs, and the disk images (VDIs) in them."""

from collections.abc import Mapping
from typing import NamedTuple

from simplestack import Conflict, EntityNotFound
from simplestack_xen.xapi.lookups import Vm
from simplestack_xen.xapi.records import VbdRecord, VdiRecord, VmRecord
from simplestack_xen.xapi.session import XenSession


class Drive(NamedTuple):
    """A VM's drive, and what is in it."""

    ref: str
    record: VbdRecord
    image: VdiRecord


def drives(session: XenSession, *vms: VmRecord) -> list[Drive]:
    """Return the drives of VMs that hold a disk, in their order: two round trips."""
    refs = [ref for vm in vms for ref in vm.VBDs]
    return filled(session, {ref: vbd for ref, vbd in vbds(session, refs).items() if vbd.type == "Disk"})


def vbds(session: XenSession, refs: list[str]) -> dict[str, VbdRecord]:
    """Return drives of all kinds, in their order: one round trip."""
    found = session.api.read_some(VbdRecord, "VBD", refs)
    return dict(sorted(found.items(), key=lambda item: item[1].position))


def filled(session: XenSession, found: Mapping[str, VbdRecord]) -> list[Drive]:
    """Return drives with what is in them; those that are empty are left out."""
    images = session.api.read_some(VdiRecord, "VDI", [vbd.VDI for vbd in found.values()])
    return [Drive(ref, vbd, images[vbd.VDI]) for ref, vbd in found.items() if vbd.VDI in images]


def find_drive(session: XenSession, vm: Vm, disk_id: str) -> Drive:
    """Find a disk of a guest.

    :raises EntityNotFound: ``Disk``
    """
    for drive in drives(session, vm.record):
        if drive.record.userdevice == disk_id:
            return drive
    raise EntityNotFound("Disk", disk_id)


def require_known_bytes(drive: Drive, field: str) -> int:
    """Return the size of a disk that is to grow.

    :param field: the field of the request that says how far
    :raises Conflict: XAPI does not know the size, so the disk might shrink
    """
    size = drive.image.known_bytes
    if size is None:
        raise Conflict(
            f"{field}: the size of disk {drive.record.userdevice} is unknown, and disks only grow: "
            "try again when its storage is available"
        )
    return size
