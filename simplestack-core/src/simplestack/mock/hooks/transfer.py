"""Hooks of image streams."""

import hashlib
import uuid

from msgspec import UNSET
from msgspec.structs import asdict, replace

from simplestack import (
    CHUNK_BYTES,
    EntityNotFound,
    Export,
    Guest,
    GuestImport,
    GuestState,
    ImportStream,
    InsufficientStorage,
    InvalidArguments,
    free_name,
    gib,
    hookimpl,
)
from simplestack.mock.entities import guest_entity
from simplestack.mock.session import MockSession
from simplestack.mock.store.addresses import check_addresses, plain_mac
from simplestack.mock.store.archive import (
    BLOCK_BYTES,
    ArchivedInterface,
    Manifest,
    is_archive,
    read_archive,
    read_up_to,
    write_archive,
)
from simplestack.mock.store.devices import new_interface
from simplestack.mock.store.records import Content, DiskRecord, GuestRecord, Hardware, InterfaceRecord
from simplestack.mock.store.seeding import DEFAULT_NETWORK
from simplestack.mock.store.states import require_guest_state, started
from simplestack.mock.store.topology import ISOS

_FOREIGN_MEMORY_MIB = 1024


@hookimpl
def guest_export(session: MockSession, guest_id: str) -> Export:
    """Export a stopped guest, without its snapshots. Later changes of the guest are not in the image."""
    guest = session.guest(guest_id)
    require_guest_state(guest, "export", GuestState.STOPPED)
    return write_archive(guest)


@hookimpl
def guest_import(
    session: MockSession,
    stream: ImportStream,
    size: int | None,
    storage_id: str | None,
    description: GuestImport | None,
) -> Guest:
    """Create a guest from an export; from any other image, a guest with one disk of the image's length.

    If the name of an export is in use, the guest is named ``NAME (2)``. It keeps its MAC addresses, networks
    and ISO image if possible. Any other image gets a name and 1 GiB of memory if the query has none.
    Nothing is saved before the whole stream has been read and verified.
    """
    for network in () if description is None else description.network:
        session.network(network, or_name=True)
    storage = None if storage_id is None else session.disk_storage(storage_id).name
    head = read_up_to(stream, BLOCK_BYTES)
    if not head:
        raise InvalidArguments("the image is empty: send the bytes of one")
    if is_archive(head):
        manifest = read_archive(head, stream)
        for interface in manifest.interfaces:
            check_addresses(interface.ipv4_allowed, 4, session.settings.max_addresses)
            check_addresses(interface.ipv6_allowed, 6, session.settings.max_addresses)
        with session.change():
            guest = _from_manifest(session, manifest, session.disk_storage(storage).name)
            guest = _described(session, guest, description)
            session.add_guest(guest)
    else:
        digest, length = _read_foreign(session, head, stream, size, storage)
        with session.change():
            guest = _foreign(session, digest, length, session.disk_storage(storage).name)
            guest = _described(session, guest, description)
            session.add_guest(guest)
    return guest_entity(guest.summary)


def _described(session: MockSession, guest: GuestRecord, description: GuestImport | None) -> GuestRecord:
    """Return a guest with what the query says of it."""
    if description is None:
        return guest
    hardware = guest.hardware
    if description.network:
        hardware = replace(hardware, interfaces=())
        for network in description.network:
            hardware = hardware.with_interface(new_interface(session, hardware, network))
    given = {
        "cpus": description.cpus,
        "memory_mib": description.memory,
        "paravirtualized": description.paravirtualized,
        "firmware": description.firmware,
    }
    hardware = replace(hardware, **{name: value for name, value in given.items() if value is not UNSET})
    name = guest.name if description.name is UNSET else description.name
    guest = replace(guest, name=name, hardware=hardware)
    return started(session, guest) if description.start else guest


def _from_manifest(session: MockSession, manifest: Manifest, storage: str) -> GuestRecord:
    interfaces: dict[str, InterfaceRecord] = {}
    for archived in manifest.interfaces:
        interface = _interface(session, archived, interfaces)
        interfaces[interface.mac] = interface
    return GuestRecord(
        id=str(uuid.uuid4()),
        name=free_name(manifest.name, session.has_guest),
        template=manifest.template,
        tags=tuple(sorted(set(manifest.tags))),
        hardware=Hardware(
            cpus=manifest.cpus,
            memory_mib=manifest.memory_mib,
            paravirtualized=manifest.paravirtualized,
            firmware=manifest.firmware,
            iso=manifest.iso if manifest.iso in ISOS else None,
            disks=tuple(
                DiskRecord(
                    id=str(uuid.uuid4()),
                    name=disk.name,
                    device=device,
                    size_bytes=disk.size_bytes,
                    storage=storage,
                    content=disk.content,
                )
                for device, disk in enumerate(manifest.disks)
            ),
            interfaces=tuple(interfaces.values()),
        ),
    )


def _interface(
    session: MockSession, archived: ArchivedInterface, others: dict[str, InterfaceRecord]
) -> InterfaceRecord:
    """Return an interface of an export, with another MAC address or network if its own is not available."""
    mac = plain_mac(archived.mac)
    if mac in others or session.mac_owner(mac) is not None:
        mac = session.free_mac(others)
    try:
        network = session.network(archived.network, or_name=True).name
    except EntityNotFound:
        network = DEFAULT_NETWORK
    return InterfaceRecord(**asdict(archived) | {"mac": mac, "device": len(others), "network": network})


def _read_foreign(
    session: MockSession, head: bytes, stream: ImportStream, size: int | None, storage: str | None
) -> tuple[str, int]:
    """Read an image of another format to its end; return its digest and length. Its bytes are discarded.

    :raises InsufficientStorage: it is larger than the storage
    :raises InvalidArguments: it is shorter than the client had announced
    """
    largest = max(site.size_bytes for site in session.storages if storage in (None, site.name))
    digest = hashlib.sha256(head)
    length = len(head)
    while chunk := stream.read(CHUNK_BYTES):
        digest.update(chunk)
        length += len(chunk)
        if length > largest:
            raise InsufficientStorage(
                f"the image is larger than {gib(largest):g} GiB, and no storage here is: send a smaller one"
            )
    if size is not None and length < size:
        raise InvalidArguments(f"the image ends after {length} of the {size} bytes announced: send all of it")
    return digest.hexdigest(), length


def _foreign(session: MockSession, digest: str, length: int, storage: str) -> GuestRecord:
    """Return a guest with one disk, whose content is derived from the image's digest."""
    guest_id = str(uuid.uuid4())
    name = f"imported-{guest_id[:8]}"
    hardware = Hardware(cpus=1, memory_mib=_FOREIGN_MEMORY_MIB, paravirtualized=False)
    content = Content(digest[:32], min(length, session.settings.content_bytes))
    disk = hardware.new_disk(name, storage, -(-length // 512) * 512, content=content)
    return GuestRecord(
        id=guest_id, name=free_name(name, session.has_guest), hardware=hardware.with_disk(disk)
    )
