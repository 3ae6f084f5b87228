"""Hooks of guests: list, show, copy and delete them."""

from msgspec.structs import replace

from simplestack import CloudInit, Guest, GuestState, hookimpl
from simplestack.mock.entities import guest_entity
from simplestack.mock.session import MockSession
from simplestack.mock.store.devices import copied
from simplestack.mock.store.states import require_guest_state


@hookimpl
def guest_list(session: MockSession) -> list[Guest]:
    """List the world's guests. Reading fewer `fields` would not be faster."""
    return [guest_entity(summary) for summary in session.summaries()]


@hookimpl
def guest_info(session: MockSession, guest_id: str) -> Guest:
    """Show one guest or template."""
    return guest_entity(session.summary(guest_id))


@hookimpl
def guest_clone(session: MockSession, guest_id: str, name: str, cloud_init: CloudInit | None) -> Guest:
    """Copy a stopped guest, without its snapshots. A copy of a template is a guest."""
    with session.change():
        clone = replace(copied(session, session.guest(guest_id), name), cloud_init=cloud_init)
        session.add_guest(clone)
    return guest_entity(clone.summary)


@hookimpl
def guest_delete(session: MockSession, guest_id: str) -> None:
    """Remove a stopped guest, or a template."""
    with session.change():
        guest = session.guest(guest_id)
        require_guest_state(guest, "delete", GuestState.STOPPED)
        session.remove_guest(guest)
