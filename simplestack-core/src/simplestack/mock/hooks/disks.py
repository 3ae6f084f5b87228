"""Hooks of guests' disks. They work while the guest runs, too."""

from msgspec import UNSET
from msgspec.structs import replace

from simplestack import (
    Disk,
    DiskCreate,
    DiskUpdate,
    EntityNotFound,
    gib_to_bytes,
    grown_bytes,
    hookimpl,
)
from simplestack.mock.entities import disk_entity
from simplestack.mock.session import MockSession
from simplestack.mock.store.records import DiskRecord, GuestRecord


@hookimpl
def disk_list(session: MockSession, guest_id: str) -> list[Disk]:
    """List a guest's disks."""
    return [disk_entity(disk) for disk in session.guest(guest_id).hardware.disks]


@hookimpl
def disk_info(session: MockSession, guest_id: str, disk_id: str) -> Disk:
    """Show one disk of a guest."""
    return disk_entity(_find(session.guest(guest_id), disk_id))


@hookimpl
def disk_create(session: MockSession, guest_id: str, disk: DiskCreate) -> Disk:
    """Add an empty disk. Default: in the storage with the most free space."""
    with session.change():
        guest = session.guest(guest_id)
        storage = session.disk_storage(disk.storage_id).name
        made = guest.hardware.new_disk(guest.name, storage, gib_to_bytes(disk.size), disk.name)
        session.save_guest(replace(guest, hardware=guest.hardware.with_disk(made)))
    return disk_entity(made)


@hookimpl
def disk_update(session: MockSession, guest_id: str, disk_id: str, changes: DiskUpdate) -> Disk:
    """Rename or grow a disk."""
    with session.change():
        guest = session.guest(guest_id)
        disk = _find(guest, disk_id)
        if changes.size is not UNSET:
            size_bytes = grown_bytes("size", gib_to_bytes(changes.size), [disk.size_bytes])
            disk = replace(disk, size_bytes=size_bytes)
        if changes.name is not UNSET:
            disk = replace(disk, name=changes.name)
        session.save_guest(replace(guest, hardware=guest.hardware.with_disk(disk)))
    return disk_entity(disk)


@hookimpl
def disk_delete(session: MockSession, guest_id: str, disk_id: str) -> None:
    """Remove a disk. Snapshots keep their copy of it."""
    with session.change():
        guest = session.guest(guest_id)
        gone = _find(guest, disk_id)
        disks = tuple(disk for disk in guest.hardware.disks if disk is not gone)
        session.save_guest(replace(guest, hardware=replace(guest.hardware, disks=disks)))


def _find(guest: GuestRecord, disk_id: str) -> DiskRecord:
    for disk in guest.hardware.disks:
        if disk.id == disk_id:
            return disk
    raise EntityNotFound("Disk", disk_id)
