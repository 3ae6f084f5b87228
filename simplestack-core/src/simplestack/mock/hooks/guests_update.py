"""Hook that changes a guest."""

from msgspec import UNSET
from msgspec.structs import replace

from simplestack import (
    Guest,
    GuestState,
    GuestUpdate,
    gib_to_bytes,
    grown_bytes,
    hookimpl,
    require_state,
)
from simplestack.mock.entities import guest_entity
from simplestack.mock.session import MockSession
from simplestack.mock.store.records import GuestRecord, Hardware


@hookimpl
def guest_update(session: MockSession, guest_id: str, changes: GuestUpdate) -> Guest:
    """Change a guest: its name and disks at any time, the rest only while it is stopped.

    :raises InsufficientStorage: no room for the disk to grow
    """
    with session.change():
        guest = _changed(session.guest(guest_id), changes)
        session.save_guest(guest)
    return guest_entity(guest.summary)


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
        attempt = f"change memory, CPUs or `paravirtualized` of guest {guest.name!r}"
        if template and not guest.template:
            attempt = f"make guest {guest.name!r} a template"
        require_state(guest.state, GuestState.STOPPED, attempt=attempt)
    if changes.hdd is not UNSET:
        hardware = _grown(hardware, gib_to_bytes(changes.hdd))
    name = guest.name if changes.name is UNSET else changes.name
    return replace(guest, name=name, template=template, hardware=hardware)


def _grown(hardware: Hardware, total_bytes: int) -> Hardware:
    """Grow the last disk so that the sum of all is as wanted."""
    size_bytes = grown_bytes("hdd", total_bytes, [disk.size_bytes for disk in hardware.disks])
    return hardware.with_disk(replace(hardware.disks[-1], size_bytes=size_bytes))
