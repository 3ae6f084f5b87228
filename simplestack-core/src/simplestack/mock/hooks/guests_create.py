"""Hook that makes a guest."""

from simplestack import (
    Guest,
    GuestCreate,
    hookimpl,
)
from simplestack.mock.session import MockSession
from simplestack.mock.store.building import new_guest
from simplestack.mock.store.states import started
from simplestack.mock.store.views import guest_entity


@hookimpl
def guest_create(session: MockSession, guest: GuestCreate) -> Guest:
    """Make a guest."""
    with session.change() as change:
        change.check_name(guest.name)
        made = new_guest(change, guest)
        change.add_guest(made)
        if guest.start:
            stopped, made = made, started(change, made)
            change.save_guest(stopped, made)
    return guest_entity(made)
