"""Hooks of guests: what they are."""

import uuid

from msgspec import UNSET
from msgspec.structs import replace

from simplestack import (
    Guest,
    GuestCreate,
    GuestState,
    GuestUpdate,
    InvalidArguments,
    gib,
    gib_to_bytes,
    hookimpl,
)
from simplestack.mock.building import new_guest
from simplestack.mock.devices import copied, with_disk
from simplestack.mock.records import GuestRecord, Hardware
from simplestack.mock.session import MockSession
from simplestack.mock.states import require_guest_state, started
from simplestack.mock.views import guest_entity


@hookimpl
def guest_list(session: MockSession) -> list[Guest]:
    """List the world's guests; `fields` saves nothing here."""
    return session.entities()


@hookimpl
def guest_info(session: MockSession, guest_id: str) -> Guest:
    """Show one guest or template."""
    return session.entity(guest_id)


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


@hookimpl
def guest_update(session: MockSession, guest_id: str, changes: GuestUpdate) -> Guest:
    """Change a guest: its name and disks at any time, the rest only while it is stopped.

    :raises InsufficientStorage: no room for the disk to grow
    """
    with session.change() as change:
        before = change.guest(guest_id)
        after = _changed(before, changes)
        change.save_guest(before, after)
    return guest_entity(after)


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


def _changed(guest: GuestRecord, changes: GuestUpdate) -> GuestRecord:
    hardware = guest.hardware
    if changes.memory is not UNSET:
        hardware = replace(hardware, memory_mib=changes.memory)
    if changes.cpus is not UNSET:
        hardware = replace(hardware, cpus=changes.cpus)
    if changes.paravirtualized is not UNSET:
        hardware = replace(hardware, paravirtualized=changes.paravirtualized)
    template = guest.template if changes.template is UNSET else changes.template
    if hardware != guest.hardware or template != guest.template:
        require_guest_state(guest, "change memory, cpus, paravirtualized or template of", GuestState.STOPPED)
    if changes.hdd is not UNSET:
        hardware = _grown(guest.name, hardware, gib_to_bytes(changes.hdd))
    name = guest.name if changes.name is UNSET else changes.name
    return replace(guest, name=name, template=template, hardware=hardware)


def _grown(guest: str, hardware: Hardware, total_bytes: int) -> Hardware:
    """Grow the last disk so that the sum of all is as wanted."""
    if not hardware.disks:
        raise InvalidArguments(f"hdd: guest {guest!r} has no disk that could grow: add one to it")
    more_bytes = total_bytes - hardware.disk_bytes
    if more_bytes < 0:
        raise InvalidArguments(
            f"hdd: the disks of guest {guest!r} have {gib(hardware.disk_bytes):g} GiB together and only grow,"
            f" {gib(total_bytes):g} GiB is less"
        )
    last = hardware.disks[-1]
    return with_disk(hardware, replace(last, size_bytes=last.size_bytes + more_bytes))
