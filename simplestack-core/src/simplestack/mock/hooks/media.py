"""Hooks of the CD drive. Every guest has one."""

from msgspec.structs import replace

from simplestack import Media, hookimpl
from simplestack.mock.session import MockSession
from simplestack.mock.store.topology import check_iso


@hookimpl
def media_info(session: MockSession, guest_id: str) -> Media:
    """Show the ISO image in a guest's CD drive."""
    return Media(name=session.guest(guest_id).hardware.iso)


@hookimpl
def media_mount(session: MockSession, guest_id: str, name: str) -> None:
    """Insert an ISO image into the CD drive."""
    _insert(session, guest_id, name)


@hookimpl
def media_unmount(session: MockSession, guest_id: str) -> None:
    """Eject the ISO image."""
    _insert(session, guest_id, None)


def _insert(session: MockSession, guest_id: str, name: str | None) -> None:
    with session.change():
        guest = session.guest(guest_id)
        if name is not None:
            check_iso(name)
        session.save_guest(replace(guest, hardware=replace(guest.hardware, iso=name)))
