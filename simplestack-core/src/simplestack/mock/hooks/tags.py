"""Hooks of tags."""

from msgspec.structs import replace

from simplestack import EntityNotFound, hookimpl
from simplestack.mock.session import MockSession


@hookimpl
def tag_list(session: MockSession, guest_id: str) -> list[str]:
    """List a guest's tags."""
    return list(session.guest(guest_id).tags)


@hookimpl
def tag_create(session: MockSession, guest_id: str, name: str) -> list[str]:
    """Add a tag to a guest."""
    with session.change():
        guest = session.guest(guest_id)
        tags = sorted({*guest.tags, name})
        session.save_guest(replace(guest, tags=tuple(tags)))
    return tags


@hookimpl
def tag_delete(session: MockSession, guest_id: str, name: str) -> None:
    """Remove a tag from a guest."""
    with session.change():
        guest = session.guest(guest_id)
        if name not in guest.tags:
            raise EntityNotFound("Tag", name)
        session.save_guest(replace(guest, tags=tuple(tag for tag in guest.tags if tag != name)))
