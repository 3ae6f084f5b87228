"""Hooks of snapshots. A snapshot has the hardware, the disk contents, the power state and the memory.

A revert restores all of that. As on other hypervisors, it does not change the guest's name and tags.
"""

import datetime as dt
import uuid

from msgspec.structs import replace

from simplestack import EntityNotFound, GuestState, InvalidState, Snapshot, hookimpl
from simplestack.mock.entities import snapshot_entities
from simplestack.mock.session import MockSession
from simplestack.mock.store.records import GuestRecord, SnapshotRecord
from simplestack.mock.store.states import host_for


@hookimpl
def snapshot_list(session: MockSession, guest_id: str) -> list[Snapshot]:
    """List a guest's snapshots."""
    return [*snapshot_entities(session.guest(guest_id)).values()]


@hookimpl
def snapshot_info(session: MockSession, guest_id: str, snapshot_id: str) -> Snapshot:
    """Show one snapshot of a guest."""
    guest = session.guest(guest_id)
    return snapshot_entities(guest)[_find(guest, snapshot_id).id]


@hookimpl
def snapshot_create(session: MockSession, guest_id: str, name: str) -> Snapshot:
    """Take a snapshot of a guest."""
    with session.change():
        guest = session.guest(guest_id)
        snapshot = SnapshotRecord(
            id=str(uuid.uuid4()),
            name=name,
            parent=guest.base,
            created=f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ}",
            state=guest.state,
            hardware=guest.hardware,
        )
        after = replace(guest, snapshots=(*guest.snapshots, snapshot), base=snapshot.id)
        session.save_guest(after)
    return snapshot_entities(after)[snapshot.id]


@hookimpl
def snapshot_revert(session: MockSession, guest_id: str, snapshot_id: str) -> Snapshot:
    """Revert a guest to a snapshot, in any power state.

    :raises Conflict: another guest now has a MAC address of the snapshot
    :raises InsufficientStorage: no room for a disk that was removed after the snapshot
    """
    with session.change():
        guest = session.guest(guest_id)
        after = _restored(session, guest, _find(guest, snapshot_id))
        session.save_guest(after)
    return snapshot_entities(after)[snapshot_id]


@hookimpl
def snapshot_delete(session: MockSession, guest_id: str, snapshot_id: str) -> None:
    """Remove a snapshot. Its children become children of its parent."""
    with session.change():
        guest = session.guest(guest_id)
        gone = _find(guest, snapshot_id)
        snapshots = tuple(
            replace(snapshot, parent=gone.parent) if snapshot.parent == gone.id else snapshot
            for snapshot in guest.snapshots
            if snapshot is not gone
        )
        base = gone.parent if guest.base == gone.id else guest.base
        session.save_guest(replace(guest, snapshots=snapshots, base=base))


def _find(guest: GuestRecord, snapshot_id: str) -> SnapshotRecord:
    for snapshot in guest.snapshots:
        if snapshot.id == snapshot_id:
            return snapshot
    raise EntityNotFound("Snapshot", snapshot_id)


def _restored(session: MockSession, guest: GuestRecord, snapshot: SnapshotRecord) -> GuestRecord:
    """Return a guest with the hardware and the power state of a snapshot.

    :raises InvalidState: it is now a template, and the snapshot is of a running or paused guest
    :raises HypervisorError: no host has enough free memory
    """
    hardware, state, host = snapshot.hardware, snapshot.state, None
    if state is not GuestState.STOPPED:
        host = host_for(session, guest, hardware.memory_mib)
        if guest.template:
            raise InvalidState.of_template(f"restore the running state of guest {guest.name!r}")
    return replace(guest, hardware=hardware, state=state, host=host, base=snapshot.id)
