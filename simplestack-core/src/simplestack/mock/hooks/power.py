"""Hooks of power. A paused guest stays in its host's memory."""

from msgspec.structs import replace

from simplestack import GuestState, hookimpl
from simplestack.mock.session import MockSession
from simplestack.mock.store.states import booted, require_guest_state, started


@hookimpl
def guest_start(session: MockSession, guest_id: str) -> None:
    """Start a stopped guest."""
    with session.change():
        guest = session.guest(guest_id)
        session.save_guest(started(session, guest))


@hookimpl
def guest_shutdown(session: MockSession, guest_id: str, force: bool) -> None:
    """Stop a guest. Without `force`, a running guest always shuts down, and a paused guest cannot."""
    with session.change():
        guest = session.guest(guest_id)
        if force:
            require_guest_state(guest, "cut the power of", GuestState.STARTED, GuestState.PAUSED)
        else:
            require_guest_state(guest, "shut down", GuestState.STARTED)
        session.save_guest(replace(guest, state=GuestState.STOPPED, host=None))


@hookimpl
def guest_suspend(session: MockSession, guest_id: str) -> None:
    """Pause a running guest."""
    with session.change():
        guest = session.guest(guest_id)
        require_guest_state(guest, "pause", GuestState.STARTED)
        session.save_guest(replace(guest, state=GuestState.PAUSED))


@hookimpl
def guest_resume(session: MockSession, guest_id: str) -> None:
    """Resume a paused guest."""
    with session.change():
        guest = session.guest(guest_id)
        require_guest_state(guest, "resume", GuestState.PAUSED)
        session.save_guest(replace(guest, state=GuestState.STARTED))


@hookimpl
def guest_reboot(session: MockSession, guest_id: str) -> None:
    """Reboot a running guest. It writes to its first disk when it boots."""
    with session.change():
        guest = session.guest(guest_id)
        require_guest_state(guest, "reboot", GuestState.STARTED)
        session.save_guest(booted(session, guest))
