"""Hooks of snapshots. A snapshot keeps hardware, what is on the disks, and the power state with the memory.

A revert brings all of that back. The guest's name and tags stay as they are, as on other hypervisors.
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
    """Take the guest back to a snapshot, from any power state.

    :raises Conflict: a MAC address of then is another guest's by now
    :raises InsufficientStorage: no room for a disk of then that has been removed since
    """
    with session.change():
        guest = session.guest(guest_id)
        after = _restored(session, guest, _find(guest, snapshot_id))
        session.save_guest(after)
    return snapshot_entities(after)[snapshot_id]


@hookimpl
def snapshot_delete(session: MockSession, guest_id: str, snapshot_id: str) -> None:
    """Remove a snapshot; those that were taken after it move up to the one before it."""
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
    """Return a guest as it was: with the hardware and in the state of then.

    :raises InvalidState: it is a template by now, and was not stopped then
    :raises HypervisorError: no host has the memory
    """
    hardware, state, host = snapshot.hardware, snapshot.state, None
    if state is not GuestState.STOPPED:
        host = host_for(session, guest, hardware.memory_mib)
        if guest.template:
            raise InvalidState.of_template(
                f"restore guest {guest.name!r} as it was {state}",
                "a guest again (update it with `template` false)",
            )
    return replace(guest, hardware=hardware, state=state, host=host, base=snapshot.id)
