"""Hooks of image streams."""

import hashlib
import uuid

from msgspec.structs import replace

from simplestack import (
    CHUNK_BYTES,
    EntityNotFound,
    Export,
    Guest,
    GuestState,
    ImportStream,
    InsufficientStorage,
    InvalidArguments,
    gib,
    hookimpl,
)
from simplestack.mock.session import MockSession
from simplestack.mock.store.addresses import check_addresses, plain_mac
from simplestack.mock.store.archive import (
    ArchivedDisk,
    ArchivedInterface,
    Manifest,
    is_archive,
    read_manifest,
    verify_contents,
    write_archive,
)
from simplestack.mock.store.changes import Change
from simplestack.mock.store.devices import new_disk, with_disk
from simplestack.mock.store.records import Content, GuestRecord, Hardware, InterfaceRecord
from simplestack.mock.store.seeding import DEFAULT_NETWORK
from simplestack.mock.store.states import require_guest_state
from simplestack.mock.store.upload import Upload
from simplestack.mock.store.views import guest_entity

_HEAD_BYTES = 512
_FOREIGN_MEMORY_MIB = 1024


@hookimpl
def guest_export(session: MockSession, guest_id: str) -> Export:
    """Stream a stopped guest, as it is now, without its snapshots. It may change or go meanwhile."""
    guest = session.guest(guest_id)
    require_guest_state(guest, "export", GuestState.STOPPED)
    return write_archive(_manifest(guest))


@hookimpl
def guest_import(
    session: MockSession, stream: ImportStream, size: int | None, storage_id: str | None
) -> Guest:
    """Make a guest from an export; from any other bytes, a guest with one disk of their length.

    An export's name becomes ``NAME (2)`` where it is taken; its MAC addresses, networks and ISO image are
    kept where that is possible. Nothing is written before all of the stream has been read and verified.
    """
    storage = None if storage_id is None else session.landscape.disk_storage(storage_id).id
    upload = Upload(stream, size)
    head = upload.peek(_HEAD_BYTES)
    if not head:
        raise InvalidArguments("the image is empty: send the bytes of one")
    if not is_archive(head):
        return _import_foreign(session, upload, storage)
    manifest = read_manifest(upload)
    for interface in manifest.interfaces:
        check_addresses(interface.ipv4_allowed, 4, session.settings.max_addresses)
        check_addresses(interface.ipv6_allowed, 6, session.settings.max_addresses)
    verify_contents(upload, manifest)
    with session.change() as change:
        guest = _from_manifest(change, manifest, storage)
        change.add_guest(guest)
    return guest_entity(guest)


def _import_foreign(session: MockSession, upload: Upload, storage: str | None) -> Guest:
    """Read an image of another format to its end. Its bytes are not kept: their digest becomes the seed."""
    largest = max(site.size_bytes for site in session.landscape.storages if storage in (None, site.id))
    digest = hashlib.sha256()
    length = 0
    while chunk := upload.read(CHUNK_BYTES):
        digest.update(chunk)
        length += len(chunk)
        if length > largest:
            raise InsufficientStorage(
                f"the image is larger than {gib(largest):g} GiB, which no storage here is"
            )
    guest_id = str(uuid.uuid4())
    with session.change() as change:
        name = f"imported-{guest_id[:8]}"
        hardware = Hardware(cpus=1, memory_mib=_FOREIGN_MEMORY_MIB, paravirtualized=False)
        disk = new_disk(
            name,
            hardware,
            storage or change.roomiest_storage().id,
            -(-length // 512) * 512,
            content=Content(digest.hexdigest()[:32], min(length, session.settings.content_bytes)),
        )
        guest = GuestRecord(id=guest_id, name=change.free_name(name), hardware=with_disk(hardware, disk))
        change.add_guest(guest)
    return guest_entity(guest)


def _manifest(guest: GuestRecord) -> Manifest:
    hardware = guest.hardware
    return Manifest(
        name=guest.name,
        memory_mib=hardware.memory_mib,
        cpus=hardware.cpus,
        paravirtualized=hardware.paravirtualized,
        template=guest.template,
        iso=hardware.iso,
        tags=list(guest.tags),
        disks=[
            ArchivedDisk(
                name=disk.name,
                size_bytes=disk.size_bytes,
                seed=disk.content.seed,
                content_bytes=disk.content.length,
            )
            for disk in hardware.disks
        ],
        interfaces=[
            ArchivedInterface(
                mac=interface.mac,
                network=interface.network,
                locking_mode=interface.locking_mode,
                ipv4_allowed=interface.ipv4_allowed,
                ipv6_allowed=interface.ipv6_allowed,
                ratelimit=interface.ratelimit,
                active=interface.active,
            )
            for interface in hardware.interfaces
        ],
    )


def _from_manifest(change: Change, manifest: Manifest, storage: str | None) -> GuestRecord:
    hardware = Hardware(
        cpus=manifest.cpus,
        memory_mib=manifest.memory_mib,
        paravirtualized=manifest.paravirtualized,
        iso=manifest.iso if manifest.iso and change.landscape.has_iso(manifest.iso) else None,
    )
    place = storage or change.roomiest_storage().id
    for disk in manifest.disks:
        hardware = with_disk(
            hardware,
            new_disk(manifest.name, hardware, place, disk.size_bytes, name=disk.name, content=disk.content),
        )
    interfaces: list[InterfaceRecord] = []
    for interface in manifest.interfaces:
        interfaces.append(_interface(change, interface, interfaces))
    return GuestRecord(
        id=str(uuid.uuid4()),
        name=change.free_name(manifest.name),
        template=manifest.template,
        hardware=replace(hardware, interfaces=tuple(interfaces)),
        tags=tuple(sorted(set(manifest.tags))),
    )


def _interface(change: Change, archived: ArchivedInterface, others: list[InterfaceRecord]) -> InterfaceRecord:
    """Return an interface as it was, with another MAC address or network where its own cannot be had."""
    mac = plain_mac(archived.mac)
    taken = [other.mac for other in others]
    if mac in taken or change.mac_in_use(mac):
        mac = change.free_mac(taken)
    try:
        network = change.network(archived.network).name
    except EntityNotFound:
        network = DEFAULT_NETWORK
    return InterfaceRecord(
        mac=mac,
        device=len(others),
        network=network,
        locking_mode=archived.locking_mode,
        ipv4_allowed=archived.ipv4_allowed,
        ipv6_allowed=archived.ipv6_allowed,
        ratelimit=archived.ratelimit,
        active=archived.active,
    )
