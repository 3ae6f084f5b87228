"""Hooks of guests' disks. All of it works while the guest runs."""

from msgspec import UNSET
from msgspec.structs import replace

from simplestack import Disk, DiskCreate, DiskUpdate, InvalidArguments, gib, gib_to_bytes, hookimpl
from simplestack.mock.session import MockSession
from simplestack.mock.store.devices import find_disk, new_disk, with_disk
from simplestack.mock.store.records import DiskRecord
from simplestack.mock.store.views import disk_entity


@hookimpl
def disk_list(session: MockSession, guest_id: str) -> list[Disk]:
    """List a guest's disks."""
    guest = session.guest(guest_id)
    return [disk_entity(disk, session.landscape) for disk in guest.hardware.disks]


@hookimpl
def disk_info(session: MockSession, guest_id: str, disk_id: str) -> Disk:
    """Show one disk of a guest."""
    return disk_entity(find_disk(session.guest(guest_id), disk_id), session.landscape)


@hookimpl
def disk_create(session: MockSession, guest_id: str, disk: DiskCreate) -> Disk:
    """Add an empty disk, in the storage with most room when the request names none."""
    with session.change() as change:
        guest = change.guest(guest_id)
        if disk.storage_id is None:
            storage = change.roomiest_storage()
        else:
            storage = change.landscape.disk_storage(disk.storage_id)
        size_bytes = gib_to_bytes(disk.size)
        record = new_disk(guest.name, guest.hardware, storage.id, size_bytes, name=disk.name)
        change.save_guest(guest, replace(guest, hardware=with_disk(guest.hardware, record)))
    return disk_entity(record, session.landscape)


@hookimpl
def disk_update(session: MockSession, guest_id: str, disk_id: str, changes: DiskUpdate) -> Disk:
    """Rename or grow a disk."""
    with session.change() as change:
        guest = change.guest(guest_id)
        disk = changed = find_disk(guest, disk_id)
        if changes.size is not UNSET:
            changed = grown(disk, gib_to_bytes(changes.size))
        if changes.name is not UNSET:
            changed = replace(changed, name=changes.name)
        change.save_guest(guest, replace(guest, hardware=with_disk(guest.hardware, changed)))
    return disk_entity(changed, session.landscape)


@hookimpl
def disk_delete(session: MockSession, guest_id: str, disk_id: str) -> None:
    """Remove a disk; snapshots that have it keep it."""
    with session.change() as change:
        guest = change.guest(guest_id)
        gone = find_disk(guest, disk_id)
        disks = tuple(disk for disk in guest.hardware.disks if disk is not gone)
        change.save_guest(guest, replace(guest, hardware=replace(guest.hardware, disks=disks)))


def grown(disk: DiskRecord, size_bytes: int) -> DiskRecord:
    """Return a disk with a new size.

    :raises InvalidArguments: it would shrink
    """
    if size_bytes < disk.size_bytes:
        raise InvalidArguments(
            f"size: disk {disk.name!r} has {gib(disk.size_bytes):g} GiB and only grows, "
            f"{gib(size_bytes):g} GiB is less"
        )
    return replace(disk, size_bytes=size_bytes)
