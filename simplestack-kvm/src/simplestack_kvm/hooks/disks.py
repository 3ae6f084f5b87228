"""Disks of guests. Their ID is the device name, such as ``vda``."""

from dataclasses import dataclass

from msgspec import UNSET

from simplestack import (
    Conflict,
    Disk,
    DiskCreate,
    DiskUpdate,
    EntityNotFound,
    HypervisorError,
    SimplestackError,
    gib_to_bytes,
    grown_bytes,
    hookimpl,
)
from simplestack_kvm.entities import disk_entity
from simplestack_kvm.libvirtd.changes.leftovers import Leftovers
from simplestack_kvm.libvirtd.changes.undo import Step, apply_all, with_remains
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.disks.growth import plan_growth, unknown_size
from simplestack_kvm.libvirtd.disks.ownership import own_volumes
from simplestack_kvm.libvirtd.guests.disk_names import renaming, set_name
from simplestack_kvm.libvirtd.guests.domain_xml import (
    disk_element,
    free_target,
    taken_targets,
)
from simplestack_kvm.libvirtd.guests.domains import (
    document_of,
    find_domain,
)
from simplestack_kvm.libvirtd.guests.naming import check_characters
from simplestack_kvm.libvirtd.guests.records import DiskRecord, disk_records
from simplestack_kvm.libvirtd.guests.snapshot_records import snapshot_records
from simplestack_kvm.libvirtd.networks.plugging import (
    REMOVAL,
    attach,
    disk_device,
    reject_cold_bus,
    reject_saved,
    undefining,
    unplug,
)
from simplestack_kvm.libvirtd.storage.inventory import refresh_storages
from simplestack_kvm.libvirtd.storage.sizes import disk_sizes, sizes_to_change
from simplestack_kvm.libvirtd.storage.storages import choose_pool
from simplestack_kvm.libvirtd.storage.volumes import make_volume, source_of
from simplestack_kvm.sdk import libvirt


@dataclass(frozen=True, kw_only=True, slots=True)
class _GuestDisk:
    """A disk of a guest."""

    domain: "libvirt.virDomain"
    disk: DiskRecord
    position: int


@hookimpl
def disk_list(session: KvmSession, guest_id: str) -> list[Disk]:
    """List a domain's disks in the order of its description, without CD drives and floppies."""
    domain = find_domain(session, guest_id)
    disks = disk_records(document_of(domain))
    sizes = disk_sizes(session, domain, disks)
    return [
        disk_entity(disk, position, size)
        for position, (disk, size) in enumerate(zip(disks, sizes, strict=True))
    ]


@hookimpl
def disk_info(session: KvmSession, guest_id: str, disk_id: str) -> Disk:
    """Show one disk of a domain."""
    return _show(session, _find(session, guest_id, disk_id))


@hookimpl
def disk_create(session: KvmSession, guest_id: str, disk: DiskCreate) -> Disk:
    """Create a volume and attach it, on the bus of the guest's first disk.

    :raises InvalidArguments: libvirt cannot store the name
    :raises InvalidState: the guest runs, and its disks are on a bus without hot-plug (SATA, IDE)
    """
    check_characters(disk.name, "disk")
    domain = find_domain(session, guest_id)
    reject_saved(domain, "add a disk to")
    live = document_of(domain)
    defined = document_of(domain, libvirt.VIR_DOMAIN_XML_INACTIVE)
    existing = disk_records(live)
    bus = existing[0].bus if existing and existing[0].bus else "virtio"
    reject_cold_bus(domain, "add a disk to", bus)
    target = free_target(bus, taken_targets(live, defined))
    pool, size_bytes = choose_pool(session, disk.storage_id), gib_to_bytes(disk.size)
    with Leftovers(session) as made:
        volume = make_volume(made, pool, domain.UUIDString(), size_bytes, user=domain)
        source = source_of(volume)
        element = disk_element(source, target, bus)
        steps = [] if disk.name is None else [renaming(domain, target, source.path, disk.name)]
        apply_all([*steps, Step(apply=lambda: attach(domain, element), undo=None)])
    return _show(session, _find(session, guest_id, target))


@hookimpl
def disk_update(session: KvmSession, guest_id: str, disk_id: str, changes: DiskUpdate) -> Disk:
    """Rename or grow a disk. The name is stored in the domain's metadata; the volume keeps its own name.

    :raises InvalidArguments: libvirt cannot store the name
    :raises Conflict: the current size of the disk is unknown
    """
    check_characters(changes.name or None, "disk")
    guest_disk = _find(session, guest_id, disk_id)
    grow = None
    if changes.size is not UNSET:
        (size_bytes,) = sizes_to_change(session, guest_disk.domain, [guest_disk.disk])
        if size_bytes is None:
            raise unknown_size(guest_disk.disk)
        wanted_bytes = grown_bytes("size", gib_to_bytes(changes.size), [size_bytes])
        if wanted_bytes != size_bytes:
            grow = plan_growth(
                session,
                guest_disk.domain,
                guest_disk.disk,
                wanted_bytes,
                lambda current_bytes: grown_bytes("size", wanted_bytes, [current_bytes]),
            )
    steps = []
    if changes.name is not UNSET:
        steps.append(
            renaming(guest_disk.domain, guest_disk.disk.target, guest_disk.disk.source, changes.name)
        )
    # The last step: growing cannot be undone without risking data.
    steps += [] if grow is None else [Step(apply=grow, undo=None)]
    apply_all(steps)
    return _show(session, _find(session, guest_id, disk_id))


@hookimpl
def disk_delete(session: KvmSession, guest_id: str, disk_id: str) -> None:
    """Detach a disk, wait until the guest has released it, and delete its volume.

    If something else uses or may use the volume, it is kept, with a warning: see `ownership`.

    :raises InvalidState: the guest runs, and the disk is on a bus without hot-unplug (SATA, IDE)
    :raises Conflict: a snapshot of the guest needs the disk
    """
    guest_disk = _find(session, guest_id, disk_id)
    domain, disk = guest_disk.domain, guest_disk.disk
    reject_saved(domain, REMOVAL)
    for snapshot in snapshot_records(domain):
        if disk.source in [its.source for its in snapshot.disks]:
            raise Conflict(
                f"snapshot {snapshot.name!r} of the guest needs disk {disk.target}: delete it first"
            )
    reject_cold_bus(domain, REMOVAL, disk.bus)
    refresh_storages(session)  # its errors come before any change
    device = disk_device(disk)
    unplug(domain, device)
    # Another client may have started the guest while its definition still had the disk.
    apply_all([undefining(domain, device), Step(apply=lambda: unplug(domain, device), undo=None)])
    set_name(domain, disk.target, None)
    try:
        left = own_volumes(session, domain.UUIDString(), [disk], detached_from=domain).delete()
    except (libvirt.libvirtError, SimplestackError) as error:
        raise with_remains(
            error, ["the disk is detached from the guest, but its volume is not deleted"]
        ) from None
    if left:
        raise HypervisorError(
            f"the disk is detached from the guest, but its volume is left: {left[0]}; delete it by hand"
        )


def _find(session: KvmSession, guest_id: str, disk_id: str) -> _GuestDisk:
    domain = find_domain(session, guest_id)
    for position, disk in enumerate(disk_records(document_of(domain))):
        if disk.target == disk_id:
            return _GuestDisk(domain=domain, disk=disk, position=position)
    raise EntityNotFound("Disk", disk_id)


def _show(session: KvmSession, guest_disk: _GuestDisk) -> Disk:
    (size,) = disk_sizes(session, guest_disk.domain, [guest_disk.disk])
    return disk_entity(guest_disk.disk, guest_disk.position, size)
