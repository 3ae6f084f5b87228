"""The CD drive of a guest: its first one. What other drives hold stays in them."""

import copy
import xml.etree.ElementTree as ET

from simplestack import Conflict, GuestState, InvalidArguments, InvalidState
from simplestack_kvm.libvirtd.changes.undo import Step, apply_all
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.disks.cloud_init import is_drive
from simplestack_kvm.libvirtd.guests.domain_xml import (
    VolumeSource,
    cdrom_element,
    free_target,
    host_kind_of,
    plain_bus,
    put_source,
    remove_source,
    taken_targets,
)
from simplestack_kvm.libvirtd.guests.domains import document_of, modification_flags, state_of
from simplestack_kvm.libvirtd.guests.records import Source, place_of
from simplestack_kvm.libvirtd.images.headers import UnusableImage
from simplestack_kvm.libvirtd.images.sources import known_format
from simplestack_kvm.libvirtd.networks.plugging import reject_saved
from simplestack_kvm.libvirtd.storage.volumes import find_volume, look_up_volume, medium_of
from simplestack_kvm.sdk import libvirt

#: In libvirt's error for a guest that does not release the medium. It has no number of its own.
_LOCKED_TRAY = "open tray"


def find_iso(session: KvmSession, name: str, preferred: "libvirt.virStoragePool | None") -> VolumeSource:
    """Find an ISO image by the name of its volume.

    :param preferred: the storage that is searched before the others
    :raises EntityNotFound: ``ISO``
    :raises InvalidArguments: it is neither a file nor a block device
    :raises Conflict: several storages have one
    """
    volume = find_volume(session, name, "ISO", preferred)
    try:
        known_format(volume)
    except UnusableImage as error:
        raise InvalidArguments(f"ISO {name!r} {error}") from None
    return medium_of(volume)


def medium_name(session: KvmSession, domain: "libvirt.virDomain") -> str | None:
    """Return the name of the medium in a guest's CD drive; None if the drive is empty or the guest has none.

    A medium in no active storage has the last part of its path or address as its name.
    """
    drive = _first_drive(document_of(domain))
    source = None if drive is None else drive.find("source")
    place = _place(drive)
    if isinstance(place, tuple):
        return place[1]
    if place is None:
        name = None if source is None else source.get("name")
        return None if name is None else name.rsplit("/", 1)[-1]
    volume = look_up_volume(session, place, None)
    return place.rsplit("/", 1)[-1] if volume is None else volume.name()


def insert(domain: "libvirt.virDomain", medium: VolumeSource) -> None:
    """Insert a medium instead of the current one. A guest without a CD drive gets one.

    :raises InvalidState: it has none and runs, or is saved to disk
    :raises Conflict: it keeps the drive locked
    """
    attempt = "insert an ISO image into"
    reject_saved(domain, attempt)
    drive = _first_drive(document_of(domain))
    if drive is not None:
        _change(domain, _target(drive), medium)
    elif domain.isActive():
        raise InvalidState(
            f"{attempt} guest {domain.name()!r}, which has no CD drive,", state_of(domain), GuestState.STOPPED
        )
    else:
        _add_drive(domain, medium)


def eject(domain: "libvirt.virDomain") -> None:
    """Eject the medium, if there is one.

    :raises InvalidState: the guest is saved to disk
    :raises Conflict: it keeps the drive locked
    """
    drive = _first_drive(document_of(domain))
    # The definition of a running guest may have a medium though the guest has ejected it.
    if drive is not None and (drive.find("source") is not None or domain.isActive()):
        reject_saved(domain, "eject the ISO image of")
        _change(domain, _target(drive), None)


def _add_drive(domain: "libvirt.virDomain", medium: VolumeSource) -> None:
    document = document_of(domain)
    bus = plain_bus(host_kind_of(document))
    drive = cdrom_element(medium, free_target(bus, taken_targets(document)), bus)
    # A guest that has started meanwhile takes none, and then its definition gets none.
    domain.attachDeviceFlags(ET.tostring(drive, encoding="unicode"), modification_flags(domain))


def _change(domain: "libvirt.virDomain", target: str, medium: VolumeSource | None) -> None:
    """Change what is in the drive: in the definition, then in the running guest, which may say no."""
    steps = []
    if domain.isPersistent():
        drive = _first_drive(document_of(domain, libvirt.VIR_DOMAIN_XML_INACTIVE), target)
        # The definition has no such drive if somebody removed it for the next start.
        if drive is not None and not _holds(drive, medium):
            steps.append(_defining(domain, drive, medium))
    # The running guest comes last: one that starts later starts with the new definition.
    steps.append(Step(apply=lambda: _exchange(domain, target, medium), undo=None))
    apply_all(steps)


def _defining(domain: "libvirt.virDomain", drive: ET.Element, medium: VolumeSource | None) -> Step:
    after, before = (ET.tostring(each, encoding="unicode") for each in (_with(drive, medium), drive))
    flags = libvirt.VIR_DOMAIN_AFFECT_CONFIG
    return Step(
        apply=lambda: domain.updateDeviceFlags(after, flags),
        undo=lambda: domain.updateDeviceFlags(before, flags),
        undoing="changing the CD drive of the guest's definition back",
    )


def _exchange(domain: "libvirt.virDomain", target: str, medium: VolumeSource | None) -> None:
    drive = _first_drive(document_of(domain), target) if domain.isActive() else None
    if drive is None or _holds(drive, medium):
        return
    text = ET.tostring(_with(drive, medium), encoding="unicode")
    try:
        domain.updateDeviceFlags(text, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    except libvirt.libvirtError as error:
        if _LOCKED_TRAY not in (error.get_error_message() or ""):
            raise
        raise Conflict(
            "the guest keeps its CD drive locked: unmount the CD in the guest, or stop the guest, and "
            "try again"
        ) from None


def _first_drive(domain: ET.Element, target: str | None = None) -> ET.Element | None:
    """Return the first CD drive, or the one with a device name: not that of the data for cloud-init."""
    for disk in domain.iterfind("devices/disk"):
        is_wanted = disk.get("device") == "cdrom" and target in (None, _target(disk))
        if is_wanted and not is_drive(domain, disk):
            return disk
    return None


def _target(drive: ET.Element) -> str:
    target = drive.find("target")
    return "" if target is None else target.get("dev", "")


def _place(drive: ET.Element | None) -> Source | None:
    return None if drive is None else place_of(drive.find("source"))


def _holds(drive: ET.Element, medium: VolumeSource | None) -> bool:
    """Tell whether this is in a drive already: a guest that uses it is not disturbed."""
    return drive.find("source") is None if medium is None else _place(drive) == medium.path


def _with(drive: ET.Element, medium: VolumeSource | None) -> ET.Element:
    """Return a drive with another medium, or empty, and else as it is."""
    changed = copy.deepcopy(drive)
    if medium is None:
        remove_source(changed)
        changed.set("type", "file")  # others need a source
    else:
        put_source(changed, medium)
    return changed
