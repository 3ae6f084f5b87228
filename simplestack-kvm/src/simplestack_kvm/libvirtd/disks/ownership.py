"""Which volumes belong to one guest alone, and so are deleted with it.

A guest's own disks are those that only it may write to, for domains that Simplestack did not make, too: no CD
drive, no floppy, nothing read-only or shareable, and no ISO image, which is somebody's installation medium.
Of these, the volumes are deleted that certainly nobody else uses.
"""

import logging
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass

from simplestack import warn
from simplestack_kvm.errors import is_error, public_reason_of
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.disks.usage import Usage, add_bases, add_data_files, add_guest, find_usage
from simplestack_kvm.libvirtd.guests.records import DiskRecord, DomainRecord
from simplestack_kvm.libvirtd.guests.snapshot_records import snapshot_records
from simplestack_kvm.libvirtd.storage.inventory import (
    VolumeRecord,
    file_identity,
    refresh_storages,
    take_inventory,
)
from simplestack_kvm.libvirtd.storage.volumes import volume_of
from simplestack_kvm.sdk import libvirt

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Own:
    """The volumes to delete with a guest or a disk, and those to keep."""

    #: In an order in which none is deleted before what is based on it.
    volumes: list[VolumeRecord]
    #: Sentences for clients.
    kept: list[str]

    def delete(self) -> list[str]:
        """Delete the volumes, and warn of what stays.

        :return: the volumes that libvirt did not delete, each with the reason
        """
        for sentence in self.kept:
            warn(sentence)
        left = []
        for volume in self.volumes:
            try:
                volume.handle.delete()
            except libvirt.libvirtError as error:
                if error.get_error_code() == libvirt.VIR_ERR_NO_STORAGE_VOL:
                    continue  # somebody else was quicker
                _log.warning("cannot delete volume %s: %s", volume.label, error)
                left.append(f"{volume.label} ({public_reason_of(error)})")
        return left


def own_volumes(
    session: KvmSession,
    guest_id: str,
    disks: Sequence[DiskRecord],
    *,
    detached_from: "libvirt.virDomain | None" = None,
) -> Own:
    """Find out which volumes go with these disks of a guest that is off, or does not have them any more.

    :param guest_id: the guest's UUID
    :param detached_from: the guest, if it stays: whatever it still has counts as used
    :raises Busy: a volume is being copied into a pool, and libvirt does not know the others meanwhile
    :raises HypervisorTimeout: a storage does not respond
    """
    own = [disk for disk in disks if disk.own and disk.source is not None]
    if not own:
        return Own([], [])
    refresh_storages(session)
    before = {disk.source: _look(session, disk) for disk in own}
    inventory = take_inventory(session)
    kept: list[str] = []
    candidates: dict[str, VolumeRecord] = {}
    for disk in own:
        volume = inventory.volume_of(disk)
        if volume is None:
            kept.append(f"disk {disk.target} is kept: it is not in an active storage")
        elif volume.format == "iso" and not _is_made_for(guest_id, volume.name):
            kept.append(f"volume {volume.label} is kept: it is an ISO image")
        elif before[disk.source] != volume.identity or before[disk.source] != _look(session, disk):
            # Only a file that nobody writes to is recognized under its other names, by its times.
            kept.append(f"volume {volume.label} is kept: something writes to it")
        else:
            candidates[volume.path] = volume
    if not candidates:
        return Own([], kept)
    usage = find_usage(session, inventory, but_by=guest_id)
    add_bases(usage, list(candidates.values()))
    if any(usage.may_be_data_file(volume) for volume in candidates.values()):
        add_data_files(session, usage)
    if detached_from is not None:
        add_guest(usage, detached_from)
    return Own(_without_used(usage, candidates, kept), kept)


def past_disks(domain: "libvirt.virDomain", record: DomainRecord) -> list[DiskRecord]:
    """Return the disks that were made for a guest, and that only its snapshots have now."""
    sources = {disk.source for disk in record.disks}
    past = {
        disk.source: disk
        for snapshot in snapshot_records(domain)
        for disk in snapshot.disks
        if disk.target in snapshot.targets
        and disk.source not in sources
        and _is_made_for(record.uuid, disk.volume[1] if disk.volume else posixpath.basename(disk.path or ""))
    }
    return list(past.values())


def _is_made_for(guest_id: str, name: str) -> bool:
    """Return whether a volume was made for a guest: its name tells."""
    return name.startswith(f"{guest_id}-")


def _look(session: KvmSession, disk: DiskRecord) -> tuple[str, ...] | None:
    """Return what is equal for all names of a disk's file, as it is now; None for one in no active pool."""
    volume = volume_of(session, disk)
    try:
        return None if volume is None else file_identity(volume)
    except libvirt.libvirtError as error:
        if not is_error(error, libvirt.VIR_ERR_NO_STORAGE_VOL):
            raise
        return None  # somebody has just deleted it


def _without_used(usage: Usage, candidates: dict[str, VolumeRecord], kept: list[str]) -> list[VolumeRecord]:
    """Return the candidates that nobody uses; what stays keeps what it is based on."""
    chains = {path: usage.inventory.chain(volume) for path, volume in candidates.items()}
    # What is based on others comes first.
    order = sorted(candidates, key=lambda path: sum(candidates[path] in chain for chain in chains.values()))
    own = []
    for path in order:
        volume = candidates[path]
        reason = usage.why_kept(volume)
        if reason is None:
            own.append(volume)
            continue
        kept.append(f"volume {volume.label} is kept: {reason}")
        for base in chains[path][1:]:
            usage.uses.setdefault(base.path, f"volume {volume.label} is based on it")
    return own
