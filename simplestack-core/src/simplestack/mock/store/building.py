"""New guests: from a template, from an image, or with empty disks."""

import uuid

from msgspec.structs import replace

from simplestack import GuestCreate, GuestState, gib_to_bytes
from simplestack.mock.store.changes import Change
from simplestack.mock.store.devices import copied, new_disk, new_interface, with_disk
from simplestack.mock.store.landscape import image_content
from simplestack.mock.store.records import GuestRecord, Hardware
from simplestack.mock.store.states import require_guest_state


def new_guest(change: Change, wanted: GuestCreate) -> GuestRecord:
    """Return what a new guest is going to be, stopped; nothing is kept yet.

    A template gives all that the request does not: its disks come first, and interfaces that the request
    names take the place of the template's.

    :raises EntityNotFound: ``Guest`` (the template), ``Image``, ``Storage``, ``Network`` or ``ISO``
    :raises InvalidArguments: a storage cannot hold disks
    :raises InvalidState: what shall be cloned is not stopped
    """
    tags: tuple[str, ...] = ()
    storage = None if wanted.storage is None else change.landscape.disk_storage(wanted.storage).id
    if wanted.template is None:
        hardware = Hardware(
            cpus=wanted.cpus or 1, memory_mib=wanted.memory or 0, paravirtualized=bool(wanted.paravirtualized)
        )
    else:
        origin = change.guest_or_name(wanted.template)
        require_guest_state(origin, "clone", GuestState.STOPPED)
        tags = origin.tags
        hardware = _overridden(copied(change, origin.hardware, storage), wanted)
    hardware = _with_disks(change, hardware, wanted, storage)
    if wanted.network_interfaces:
        hardware = replace(hardware, interfaces=())
        for interface in wanted.network_interfaces:
            hardware = new_interface(change, hardware, interface.network)
    if wanted.iso is not None:
        change.landscape.check_iso(wanted.iso)
        hardware = replace(hardware, iso=wanted.iso)
    return GuestRecord(id=str(uuid.uuid4()), name=wanted.name, hardware=hardware, tags=tags)


def _overridden(hardware: Hardware, wanted: GuestCreate) -> Hardware:
    return replace(
        hardware,
        cpus=hardware.cpus if wanted.cpus is None else wanted.cpus,
        memory_mib=hardware.memory_mib if wanted.memory is None else wanted.memory,
        paravirtualized=(
            hardware.paravirtualized if wanted.paravirtualized is None else wanted.paravirtualized
        ),
    )


def _with_disks(change: Change, hardware: Hardware, wanted: GuestCreate, storage: str | None) -> Hardware:
    """Add the image's copy and empty disks, each in the storage it names, the guest's, or the roomiest."""
    if wanted.image is None and not wanted.disks:
        return hardware
    default = storage or change.roomiest_storage().id
    if wanted.image is not None:
        image = change.landscape.image(wanted.image)
        content = image_content(image.name, change.settings.content_bytes, image.size_bytes)
        disk = new_disk(wanted.name, hardware, default, image.size_bytes, name=image.name, content=content)
        hardware = with_disk(hardware, disk)
    for empty in wanted.disks:
        place = default if empty.storage is None else change.landscape.disk_storage(empty.storage).id
        disk = new_disk(wanted.name, hardware, place, gib_to_bytes(empty.size), name=empty.name)
        hardware = with_disk(hardware, disk)
    return hardware
