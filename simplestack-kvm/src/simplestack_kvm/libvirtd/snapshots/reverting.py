"""Revert domains to snapshots. libvirt restores the whole definition, so some of it is put back."""

import xml.etree.ElementTree as ET
from typing import Any

from simplestack import Conflict, HypervisorTimeout, SimplestackError, warn
from simplestack_kvm.errors import is_error
from simplestack_kvm.libvirtd.changes.undo import with_remains
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.disks.usage import add_bases, find_usage
from simplestack_kvm.libvirtd.guests.domains import document_of, modification_flags
from simplestack_kvm.libvirtd.guests.records import DISK_NAMES, DiskRecord, disk_records
from simplestack_kvm.libvirtd.guests.snapshot_records import SnapshotRecord
from simplestack_kvm.libvirtd.snapshots.snapshotting import not_in_storage
from simplestack_kvm.libvirtd.storage.inventory import refresh_storages, take_inventory
from simplestack_kvm.libvirtd.storage.volumes import volume_of
from simplestack_kvm.sdk import libvirt

#: What the namespaces of our parts of the metadata start with.
_OURS = "{urn:simplestack:kvm:"
_HALF_WAY = "some disks of the guest may be reverted, and others not: revert it again before you start it"


def reject_used_by_others(session: KvmSession, guest_id: str, record: SnapshotRecord) -> None:
    """Check that a revert changes no disk under somebody else, who may have it by now or be based on it.

    :raises Conflict: it would, or a disk is in no active storage
    :raises HypervisorTimeout: there is not enough time to find out
    """
    refresh_storages(session)
    inventory = take_inventory(session)
    usage = find_usage(session, inventory, but_by=guest_id)
    if not usage.is_complete:
        raise HypervisorTimeout(
            "there was not enough time to check whether others use the disks of the snapshot: try again later"
        )
    volumes = []
    for disk in record.disks:
        if disk.target in record.targets:
            volume = inventory.volume_of(disk)
            if volume is None:
                raise not_in_storage(disk, record)
            volumes.append(volume)
    add_bases(usage, volumes)
    for volume in volumes:
        use = usage.use_of(volume)
        if use is not None:
            raise Conflict(
                f"cannot revert the guest, since it would change volume {volume.label} under others: {use}"
            )


def revert(session: KvmSession, domain: "libvirt.virDomain", record: SnapshotRecord) -> None:
    """Revert a domain to a snapshot. Tags and the like stay as they are now.

    Disks that were attached after the snapshot are detached, and their files stay: a warning names them.
    """
    kept = _metadata(domain)
    before = _disks(domain)
    try:
        domain.revertToSnapshot(record.handle)
    except libvirt.libvirtError as error:
        if is_error(error, libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT):
            raise  # deleted meanwhile
        # libvirt reverts one disk after another, and does not go back if it cannot open one of them.
        raise with_remains(error, [_HALF_WAY]) from None
    try:
        _restore_metadata(domain, kept)
    except (libvirt.libvirtError, SimplestackError) as error:
        raise with_remains(
            error, ["the guest is reverted, but its tags may be those that it had in the snapshot"]
        ) from None
    sources = {disk.source for disk in _disks(domain)}
    for disk in before:
        if disk.source not in sources:
            warn(
                f"disk {disk.target} {disk.name!r} was detached, because the snapshot does not have it: "
                f"it stays with its data{_place(session, disk)}"
            )


def _disks(domain: "libvirt.virDomain") -> list[DiskRecord]:
    """Return the disks of a guest, as it runs and as it starts next; each once."""
    flags = [0, libvirt.VIR_DOMAIN_XML_INACTIVE] if domain.isPersistent() else [0]
    disks = [disk for flag in flags for disk in disk_records(document_of(domain, flag))]
    return list({disk.source: disk for disk in disks if disk.source is not None}.values())


def _place(session: KvmSession, disk: DiskRecord) -> str:
    try:
        volume = volume_of(session, disk)
        pool = None if volume is None else volume.storagePoolLookupByVolume()
    except libvirt.libvirtError:  # the guest is reverted: this only says where its disk is
        volume = pool = None
    return "" if volume is None or pool is None else f", as volume {pool.name()}/{volume.name()}"


def _metadata(domain: "libvirt.virDomain") -> dict[str, ET.Element]:
    """Return our parts of a guest's metadata that are not about its hardware, by namespace."""
    flag = libvirt.VIR_DOMAIN_XML_INACTIVE if domain.isPersistent() else 0
    parts = {
        part.tag[1:].partition("}")[0]: part for part in document_of(domain, flag).iterfind("metadata/*")
    }
    return {uri: part for uri, part in parts.items() if part.tag.startswith(_OURS) and uri != DISK_NAMES}


def _restore_metadata(domain: "libvirt.virDomain", kept: dict[str, ET.Element]) -> None:
    now = _metadata(domain)
    for uri in kept.keys() | now.keys():
        texts = [
            None if part is None else ET.canonicalize(ET.tostring(part, encoding="unicode"))
            for part in (kept.get(uri), now.get(uri))
        ]
        if texts[0] != texts[1]:
            text: Any = texts[0]  # None removes it
            key = "simplestack-kept"  # the prefix of the element
            domain.setMetadata(
                libvirt.VIR_DOMAIN_METADATA_ELEMENT, text, key, uri, modification_flags(domain)
            )
