"""Snapshots of guests: libvirt's internal ones, in the qcow2 disks of a guest, with the memory if it runs."""

from functools import partial

from simplestack import Conflict, HypervisorError, Snapshot, hookimpl
from simplestack_kvm.entities import snapshot_entity
from simplestack_kvm.libvirtd.changes.leftovers import Leftovers
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.guests.domains import document_of, find_domain
from simplestack_kvm.libvirtd.guests.naming import check_characters
from simplestack_kvm.libvirtd.guests.records import disk_records
from simplestack_kvm.libvirtd.guests.snapshot_records import (
    ancestry,
    new_snapshot,
    pick,
    remove_snapshot,
    snapshot_records,
)
from simplestack_kvm.libvirtd.guests.templates import reject_template
from simplestack_kvm.libvirtd.networks.plugging import reject_saved
from simplestack_kvm.libvirtd.snapshots.reverting import reject_used_by_others, revert
from simplestack_kvm.libvirtd.snapshots.snapshotting import (
    missing_targets,
    reject_external,
    require_intact,
    require_unambiguous,
    snapshot_targets,
)


@hookimpl
def snapshot_list(session: KvmSession, guest_id: str) -> list[Snapshot]:
    """List a guest's snapshots, those of other tools included: two round trips, and one for each."""
    records = snapshot_records(find_domain(session, guest_id))
    return [snapshot_entity(record, records) for record in records]


@hookimpl
def snapshot_info(session: KvmSession, guest_id: str, snapshot_id: str) -> Snapshot:
    """Show one snapshot of a guest."""
    records = snapshot_records(find_domain(session, guest_id))
    return snapshot_entity(pick(records, snapshot_id), records)


@hookimpl
def snapshot_create(session: KvmSession, guest_id: str, name: str) -> Snapshot:
    """Take a snapshot of a guest's settings and disks, and of its memory if it runs.

    :raises InvalidArguments: libvirt cannot store the name
    :raises Conflict: the guest has a snapshot of this name
    :raises InvalidState: the guest is saved to disk
    :raises NotImplementedError: the guest has a disk that is not qcow2, no disk, UEFI, or external snapshots
    """
    check_characters(name, "snapshot")
    domain = find_domain(session, guest_id)
    reject_saved(domain, "take a snapshot of")
    existing = snapshot_records(domain)
    reject_external(existing, "take a snapshot of the guest")
    if any(record.name == name for record in existing):
        raise _taken(name)
    document = document_of(domain)
    targets = snapshot_targets(document)
    disks = [disk for disk in disk_records(document) if disk.target in targets]
    snapshot_id, text = new_snapshot(name, targets)
    with Leftovers(session) as made:
        made.add(f"snapshot {name!r}", partial(remove_snapshot, domain.UUIDString(), snapshot_id))
        handle = domain.snapshotCreateXML(text)
        missing = missing_targets(session, disks, handle.getName())
        if missing:
            raise HypervisorError(f"QEMU did not write the snapshot to disk {', '.join(missing)}")
        records = snapshot_records(domain)
        record = pick(records, snapshot_id)
        if any(other.name == name for other in ancestry(record, records)[:-1]):
            raise _taken(name)  # another request was quicker
        return snapshot_entity(record, records)


@hookimpl
def snapshot_revert(session: KvmSession, guest_id: str, snapshot_id: str) -> Snapshot:
    """Revert a guest to one of its snapshots, to the power state and the memory of then, too.

    It keeps its current name and tags. Disks that were attached after the snapshot are detached and stay in
    their storages with their data: a warning names them.

    :raises Conflict: the snapshot is damaged, or somebody else uses a disk that it is in
    :raises InvalidState: the guest is saved to disk, or is a template and ran when the snapshot was taken
    :raises NotImplementedError: the guest has external snapshots
    """
    domain = find_domain(session, guest_id)
    reject_saved(domain, "revert")
    records = snapshot_records(domain)
    record = pick(records, snapshot_id)
    reject_external(records, "revert the guest")
    if record.state != "shutoff":
        reject_template(session, domain, "restore the running state of")
    require_intact(session, record)
    reject_used_by_others(session, domain.UUIDString(), record)
    revert(session, domain, record)
    return snapshot_entity(record, records)


@hookimpl
def snapshot_delete(session: KvmSession, guest_id: str, snapshot_id: str) -> None:
    """Delete a snapshot from the disks of its guest. Those that were taken after it are kept.

    :raises Conflict: QEMU may take another snapshot for it
    :raises NotImplementedError: the guest has external snapshots
    """
    domain = find_domain(session, guest_id)
    records = snapshot_records(domain)
    record = pick(records, snapshot_id)
    reject_external(records, "delete a snapshot of the guest")
    require_unambiguous(session, record)
    record.handle.delete()


def _taken(name: str) -> Conflict:
    return Conflict.of_name("snapshot of the guest", name)
