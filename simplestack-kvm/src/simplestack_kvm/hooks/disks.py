"""Disks of guests. Their id is the device's name, such as ``vda``."""

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET

from simplestack import (
    Busy,
    Conflict,
    Disk,
    DiskCreate,
    DiskUpdate,
    EntityNotFound,
    GuestState,
    HypervisorError,
    InvalidArguments,
    InvalidState,
    SimplestackError,
    gib,
    gib_to_bytes,
    hookimpl,
)
from simplestack_kvm.errors import has_reason
from simplestack_kvm.libvirtd.documents import parse_document
from simplestack_kvm.libvirtd.domain_xml import (
    HOTPLUG_BUSES,
    disk_element,
    free_target,
    names_element,
    taken_targets,
)
from simplestack_kvm.libvirtd.domains import (
    find_domain,
    modification_flags,
    require_guest_state,
    state_of,
    wait_until,
)
from simplestack_kvm.libvirtd.growth import plan_growth, unknown_size
from simplestack_kvm.libvirtd.inventory import refresh_storages
from simplestack_kvm.libvirtd.leftovers import Leftovers
from simplestack_kvm.libvirtd.ownership import own_volumes
from simplestack_kvm.libvirtd.records import (
    DISK_NAMES,
    DiskRecord,
    disk_elements,
    disk_entity,
    disk_names,
    disk_records,
)
from simplestack_kvm.libvirtd.session import KvmSession
from simplestack_kvm.libvirtd.sizes import disk_sizes, sizes_to_change
from simplestack_kvm.libvirtd.undo import Step, apply_all, with_remains
from simplestack_kvm.libvirtd.volumes import choose_pool, make_volume, source_of
from simplestack_kvm.sdk import libvirt

#: How long a guest may take to let go of a disk, and how often it is asked.
DETACH_SECONDS = 20.0
DETACH_AGAIN_SECONDS = 5.0

_REMOVAL = "remove a disk of the guest"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    """A disk of a guest."""

    domain: "libvirt.virDomain"
    disk: DiskRecord
    position: int


@hookimpl
def disk_list(session: KvmSession, guest_id: str) -> list[Disk]:
    """List a domain's disks, in the order of its description; CD drives and floppies are none."""
    domain = find_domain(session, guest_id)
    disks = disk_records(_document(domain))
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
    """Make a volume and attach it, on the bus of the guest's first disk.

    :raises InvalidState: the guest runs, and its disks are on a bus that takes none then (SATA, IDE)
    """
    domain = find_domain(session, guest_id)
    _reject_saved(domain, "add a disk to the guest")
    live = _document(domain)
    defined = _document(domain, libvirt.VIR_DOMAIN_XML_INACTIVE)
    existing = disk_records(live)
    bus = existing[0].bus if existing and existing[0].bus else "virtio"
    _reject_cold_bus(domain, "add a disk to the guest", bus)
    target = free_target(bus, taken_targets(live, defined))
    pool, size_bytes = choose_pool(session, disk.storage_id), gib_to_bytes(disk.size)
    with Leftovers(session) as made:
        volume = make_volume(made, pool, domain.UUIDString(), size_bytes, user=domain)
        source = source_of(volume)
        element = disk_element(source, target, bus)
        steps = [] if disk.name is None else [_naming(domain, target, source.path, disk.name)]
        apply_all([*steps, Step(apply=lambda: _attach(domain, element), undo=None)])
    return _show(session, _find(session, guest_id, target))


@hookimpl
def disk_update(session: KvmSession, guest_id: str, disk_id: str, changes: DiskUpdate) -> Disk:
    """Rename or grow a disk. The name is kept in the domain's metadata; the volume keeps its own.

    :raises Conflict: the size that the disk has is unknown: it might shrink
    """
    found = _find(session, guest_id, disk_id)
    grow = None
    if changes.size is not UNSET:
        (size_bytes,) = sizes_to_change(session, found.domain, [found.disk])
        wanted_bytes = gib_to_bytes(changes.size)
        if size_bytes is None:
            raise unknown_size(found.disk)
        if wanted_bytes < size_bytes:
            raise InvalidArguments(
                f"`size` is {changes.size:g} GiB, the disk has {gib(size_bytes):g} GiB: disks only grow"
            )
        if wanted_bytes != size_bytes:
            grow = plan_growth(session, found.domain, found.disk, wanted_bytes)
    steps = []
    if changes.name is not UNSET:
        steps.append(_naming(found.domain, found.disk.target, found.disk.source, changes.name))
    # The last step: a disk that has grown is not cut again, which might lose data.
    steps += [] if grow is None else [Step(apply=grow, undo=None)]
    apply_all(steps)
    return _show(session, _find(session, guest_id, disk_id))


@hookimpl
def disk_delete(session: KvmSession, guest_id: str, disk_id: str) -> None:
    """Detach a disk, wait until the guest has let go of it, and delete its volume.

    The volume stays if somebody else uses it or may use it, with a warning: see `ownership`.

    :raises InvalidState: the guest runs, and the disk's bus lets go of none then (SATA, IDE)
    """
    found = _find(session, guest_id, disk_id)
    domain, disk = found.domain, found.disk
    _reject_saved(domain, _REMOVAL)
    _reject_cold_bus(domain, _REMOVAL, disk.bus)
    refresh_storages(session)  # what it rejects is rejected before anything is changed
    _unplug(domain, disk)
    # Somebody may have started the guest while it was still defined with the disk.
    apply_all([_undefining(domain, disk), Step(apply=lambda: _unplug(domain, disk), undo=None)])
    _set_name(domain, disk.target, None)
    try:
        left = own_volumes(session, domain.UUIDString(), [disk], detached_from=domain).delete()
    except (libvirt.libvirtError, SimplestackError) as error:
        raise with_remains(error, ["the disk is detached from the guest, and its volume stays"]) from None
    if left:
        raise HypervisorError(
            f"the disk is detached from the guest, but its volume is left: {left[0]}; delete it by hand"
        )


def _attach(domain: "libvirt.virDomain", disk: ET.Element) -> None:
    try:
        domain.attachDeviceFlags(ET.tostring(disk, encoding="unicode"), modification_flags(domain))
    except libvirt.libvirtError as error:
        # An "internal error", as so much is.
        if "No more available PCI" in (error.get_error_message() or ""):
            raise Conflict(
                "the guest has no free device: stop it and add the disk then, or remove another one"
            ) from None
        raise


def _undefining(domain: "libvirt.virDomain", disk: DiskRecord) -> Step:
    """Return the change that takes a disk out of a guest's definition."""
    found = []
    if domain.isPersistent():
        element = _element(_document(domain, libvirt.VIR_DOMAIN_XML_INACTIVE), disk)
        found = [] if element is None else [ET.tostring(element, encoding="unicode")]

    def detach() -> None:
        for text in found:
            domain.detachDeviceFlags(text, libvirt.VIR_DOMAIN_AFFECT_CONFIG)

    def attach() -> None:
        defined = _element(_document(domain, libvirt.VIR_DOMAIN_XML_INACTIVE), disk)
        for text in found:
            if defined is None:
                domain.attachDeviceFlags(text, libvirt.VIR_DOMAIN_AFFECT_CONFIG)

    return Step(apply=detach, undo=attach, remains=f"the guest is defined without disk {disk.target} now")


def _unplug(domain: "libvirt.virDomain", disk: DiskRecord) -> None:
    """Take a disk out of a guest, if it runs with it.

    libvirt reports success after 5 s though the guest still has it; only its description tells. So the
    definition is changed later, and a guest that does not let go is left as it was.
    """
    if not domain.isActive():
        return
    rounds = int(DETACH_SECONDS / DETACH_AGAIN_SECONDS)
    for number in range(rounds):
        element = _element(_document(domain), disk)
        if element is None:
            return
        _reject_cold_bus(domain, _REMOVAL, disk.bus)
        try:
            domain.detachDeviceFlags(ET.tostring(element, encoding="unicode"), libvirt.VIR_DOMAIN_AFFECT_LIVE)
        except libvirt.libvirtError as error:
            # QEMU rejects another attempt while it waits for the guest. The first rejection is a real one.
            if number == 0 or not has_reason(error):
                raise
        if wait_until(lambda: _element(_document(domain), disk) is None, DETACH_AGAIN_SECONDS):
            return
    raise Busy(
        f"the guest does not let go of disk {disk.target}: unmount it there, or stop the guest, and try again"
    )


def _find(session: KvmSession, guest_id: str, disk_id: str) -> _Found:
    domain = find_domain(session, guest_id)
    for position, disk in enumerate(disk_records(_document(domain))):
        if disk.target == disk_id:
            return _Found(domain=domain, disk=disk, position=position)
    raise EntityNotFound("Disk", disk_id)


def _show(session: KvmSession, found: _Found) -> Disk:
    (size,) = disk_sizes(session, found.domain, [found.disk])
    return disk_entity(found.disk, found.position, size)


def _document(domain: "libvirt.virDomain", flags: int = 0) -> ET.Element:
    return parse_document(domain.XMLDesc(flags | libvirt.VIR_DOMAIN_XML_SECURE))


def _element(document: ET.Element, disk: DiskRecord) -> ET.Element | None:
    """Find a disk in a description.

    :raises Conflict: another one has its device: somebody changed it, or took a snapshot that is based on it
    """
    for element, record in zip(disk_elements(document), disk_records(document), strict=True):
        if record.target != disk.target:
            continue
        if record.source != disk.source:
            raise Conflict(
                f"disk {disk.target} of the guest is another one now, or will be when the guest starts next: "
                "look at it again, and stop the guest if it runs"
            )
        return element
    return None


def _reject_saved(domain: "libvirt.virDomain", attempt: str) -> None:
    """Reject a change of the hardware of a guest that is saved to disk with the hardware that it had."""
    if not domain.isActive():
        require_guest_state(domain, attempt, GuestState.STOPPED)


def _reject_cold_bus(domain: "libvirt.virDomain", attempt: str, bus: str) -> None:
    if domain.isActive() and bus not in HOTPLUG_BUSES:
        raise InvalidState(
            f"{attempt}, whose disks are on its {bus} bus,", state_of(domain), GuestState.STOPPED
        )


def _naming(domain: "libvirt.virDomain", target: str, source: str | None, name: str) -> Step:
    """Return the change of a disk's name.

    :param source: of the disk, as its record has it: another request may give the target to another disk
    """
    before: list[str | None] = []

    def rename() -> None:
        before.append(disk_names(_document(domain)).get(target))
        _set_name(domain, target, name)

    def rename_back() -> None:
        document = _document(domain)
        if not before or disk_names(document).get(target) != name:
            return
        is_taken = any(disk.target == target and disk.source != source for disk in disk_records(document))
        # The other disk may have got its name before this one, or may have the same.
        if not is_taken or before[0] is not None:
            _set_name(domain, target, before[0])

    return Step(
        apply=rename,
        undo=rename_back,
        remains=f"disk {target} could not be given its former name again",
    )


def _set_name(domain: "libvirt.virDomain", target: str, name: str | None) -> None:
    """Keep a disk's name in the metadata, or forget it."""
    names = disk_names(_document(domain))
    if names.get(target) == name:
        return
    names.pop(target, None)
    if name is not None:
        names[target] = name
    text: Any = ET.tostring(names_element(names), encoding="unicode") if names else None  # None removes it
    domain.setMetadata(
        libvirt.VIR_DOMAIN_METADATA_ELEMENT, text, "simplestack-disks", DISK_NAMES, modification_flags(domain)
    )
