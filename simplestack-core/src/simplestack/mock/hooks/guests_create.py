"""Hook that creates a guest: from a template, from an image, or with empty disks."""

import uuid

from msgspec.structs import replace

from simplestack import Guest, GuestCreate, gib_to_bytes, hookimpl
from simplestack.mock.entities import guest_entity
from simplestack.mock.session import MockSession
from simplestack.mock.store.contents import image_content
from simplestack.mock.store.devices import copied, new_interface
from simplestack.mock.store.records import GuestRecord, Hardware
from simplestack.mock.store.states import started
from simplestack.mock.store.topology import check_iso, image_size_bytes


@hookimpl
def guest_create(session: MockSession, guest: GuestCreate) -> Guest:
    """Create a guest. The template has the values that the request lacks.

    The template's disks come first. Interfaces in the request replace those of the template.
    """
    with session.change():
        made = _new_guest(session, guest)
        if guest.start:
            made = started(session, made)
        session.add_guest(made)
    return guest_entity(made.summary)


def _new_guest(session: MockSession, wanted: GuestCreate) -> GuestRecord:
    """Return the record of the new guest, stopped. It is not saved yet."""
    storage = None if wanted.storage is None else session.disk_storage(wanted.storage).name
    if wanted.template is None:
        hardware = Hardware(cpus=1, memory_mib=0, paravirtualized=False)
        made = GuestRecord(id=str(uuid.uuid4()), name=wanted.name, hardware=hardware)
    else:
        made = copied(session, session.guest(wanted.template, or_name=True), wanted.name, storage)
    hardware = _with_disks(session, made.hardware, wanted, storage)
    if wanted.network_interfaces:
        hardware = replace(hardware, interfaces=())
        for interface in wanted.network_interfaces:
            hardware = hardware.with_interface(new_interface(session, hardware, interface.network))
    if wanted.iso is not None:
        check_iso(wanted.iso)
    given = {
        "cpus": wanted.cpus,
        "memory_mib": wanted.memory,
        "paravirtualized": wanted.paravirtualized,
        "firmware": wanted.firmware,
        "iso": wanted.iso,
    }
    given = {name: value for name, value in given.items() if value is not None}
    return replace(made, hardware=replace(hardware, **given), cloud_init=wanted.cloud_init)


def _with_disks(
    session: MockSession, hardware: Hardware, wanted: GuestCreate, storage: str | None
) -> Hardware:
    """Add a copy of the image, and empty disks. Each is in its own storage, the guest's, or the emptiest."""
    if wanted.image is None and not wanted.disks:
        return hardware
    default = session.disk_storage(storage).name
    if wanted.image is not None:
        size_bytes = image_size_bytes(wanted.image)
        content = image_content(wanted.image, session.settings.content_bytes, size_bytes)
        disk = hardware.new_disk(wanted.name, default, size_bytes, wanted.image, content)
        hardware = hardware.with_disk(disk)
    for empty in wanted.disks:
        place = default if empty.storage is None else session.disk_storage(empty.storage).name
        disk = hardware.new_disk(wanted.name, place, gib_to_bytes(empty.size), empty.name)
        hardware = hardware.with_disk(disk)
    return hardware
