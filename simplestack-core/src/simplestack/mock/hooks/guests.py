"""Hooks of guests: list, show, copy and delete them."""

import uuid

from simplestack import (
    Guest,
    GuestState,
    hookimpl,
)
from simplestack.mock.session import MockSession
from simplestack.mock.store.devices import copied
from simplestack.mock.store.records import GuestRecord
from simplestack.mock.store.states import require_guest_state
from simplestack.mock.store.views import guest_entity


@hookimpl
def guest_list(session: MockSession) -> list[Guest]:
    """List the world's guests; `fields` saves nothing here."""
    return session.entities()


@hookimpl
def guest_info(session: MockSession, guest_id: str) -> Guest:
    """Show one guest or template."""
    return session.entity(guest_id)


@hookimpl
def guest_delete(session: MockSession, guest_id: str) -> None:
    """Remove a stopped guest, or a template."""
    with session.change() as change:
        guest = change.guest(guest_id)
        require_guest_state(guest, "delete", GuestState.STOPPED)
        change.remove_guest(guest)


@hookimpl
def guest_clone(session: MockSession, guest_id: str, name: str) -> Guest:
    """Copy a stopped guest, without its snapshots. A template's copy is a guest."""
    with session.change() as change:
        origin = change.guest(guest_id)
        require_guest_state(origin, "clone", GuestState.STOPPED)
        change.check_name(name)
        clone = GuestRecord(
            id=str(uuid.uuid4()), name=name, hardware=copied(change, origin.hardware), tags=origin.tags
        )
        change.add_guest(clone)
    return guest_entity(clone)
