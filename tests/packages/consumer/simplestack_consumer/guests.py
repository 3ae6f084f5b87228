"""Hooks of guests, with a body and an entity that have more members than core's."""

import uuid

from simplestack import (
    CHUNK_BYTES,
    Conflict,
    EntityNotFound,
    Export,
    Guest,
    GuestCreate,
    GuestState,
    InsufficientStorage,
    InvalidState,
    hookimpl,
)
from simplestack_consumer.cupboard import Cupboard


class ShelvedGuest(Guest, frozen=True, kw_only=True):
    """A guest, and where it is."""

    shelf: int


class ShelvedGuestCreate(GuestCreate, frozen=True, kw_only=True):
    """A new guest, and where it shall be."""

    shelf: int = 0


@hookimpl
def guest_list(session: Cupboard) -> list[Guest]:
    """List all guests."""
    return list(session.guests.values())


@hookimpl
def guest_info(session: Cupboard, guest_id: str) -> Guest:
    """Show a guest."""
    try:
        return session.guests[guest_id]
    except KeyError:
        raise EntityNotFound("Guest", guest_id) from None


@hookimpl
def guest_create(session: Cupboard, guest: ShelvedGuestCreate) -> ShelvedGuest:
    """Put a guest on a shelf."""
    if guest.shelf >= session.shelves:
        raise InsufficientStorage(f"there are {session.shelves} shelves", {"shelf": guest.shelf})
    if any(other.name == guest.name for other in session.guests.values()):
        raise Conflict(f"there is a guest named {guest.name!r} already")
    made = ShelvedGuest(
        id=str(uuid.uuid4()),
        name=guest.name,
        cpus=guest.cpus or 1,
        memory=guest.memory or 64,
        hdd=sum(disk.size for disk in guest.disks),
        state=GuestState.STOPPED,
        shelf=guest.shelf,
    )
    session.guests[made.id] = made
    return made


@hookimpl
def guest_start(session: Cupboard, guest_id: str) -> None:
    """Refuse, as cupboards do."""
    found = guest_info(session, guest_id)
    raise InvalidState(f"start {found.name}", current=found.state, needed="none")


@hookimpl
def guest_export(session: Cupboard, guest_id: str) -> Export:
    """Send zeros."""
    guest_info(session, guest_id)
    return Export(chunks=iter([bytes(CHUNK_BYTES)]), size=CHUNK_BYTES)
