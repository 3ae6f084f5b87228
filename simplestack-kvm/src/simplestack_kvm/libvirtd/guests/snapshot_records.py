"""Snapshots of domains, of whoever's making."""

import re
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass

from simplestack import EntityNotFound
from simplestack_kvm.errors import is_error
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.guests.records import DiskRecord, disk_records
from simplestack_kvm.sdk import libvirt

#: libvirt's names of our own snapshots; what clients call them is the description. A name of a client's is no
#: good: QEMU cannot store some names, takes a number for another snapshot's, and replaces what has the name.
_PREFIX = "simplestack-"
_OWN = re.compile(_PREFIX + r"([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})")
#: IDs of the others: libvirt only has names, and any text can be one.
_IDS = uuid.UUID("2f0c1b3e-6d5a-4b0e-9a53-1c7f6a0d8e42")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SnapshotRecord:
    """A snapshot, read from libvirt's description."""

    handle: "libvirt.virDomainSnapshot"
    #: A UUID: our own, or derived from what no other snapshot of the guest has.
    id: str
    #: libvirt's name, unique in the guest. Images know the snapshot by it.
    label: str
    #: What clients call it.
    name: str
    #: libvirt's word, such as ``shutoff``.
    state: str
    #: libvirt's name of the snapshot that it follows.
    parent: str | None
    created_seconds: int
    #: Whether it is in other files than the disks, all of it or a part.
    is_external: bool
    #: The targets of the disks that it is in.
    targets: frozenset[str]
    #: The guest's description at the time, if libvirt has it.
    domain: ET.Element | None

    @property
    def disks(self) -> tuple[DiskRecord, ...]:
        """The guest's disks at the time, whether or not the snapshot is in them."""
        return () if self.domain is None else disk_records(self.domain)


def snapshot_records(domain: "libvirt.virDomain") -> list[SnapshotRecord]:
    """Return a domain's snapshots, oldest first: a round trip, and one for each."""
    guest_id = domain.UUIDString()
    records = []
    for handle in domain.listAllSnapshots():
        try:
            text = handle.getXMLDesc()
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT:
                raise
            continue  # it has just been deleted
        records.append(_record(guest_id, handle, parse_document(text)))
    # libvirt knows the second only. What was taken after another one is below it, or in another branch.
    return sorted(
        records,
        key=lambda record: (record.created_seconds, len(ancestry(record, records)), record.label),
    )


def ancestry(record: SnapshotRecord, records: Sequence[SnapshotRecord]) -> list[SnapshotRecord]:
    """Return the snapshots from the first one to this one."""
    by_label = {other.label: other for other in records}
    line = [record]
    while (parent := by_label.get(line[0].parent or "")) is not None and parent not in line:
        line.insert(0, parent)
    return line


def pick(records: Sequence[SnapshotRecord], snapshot_id: str) -> SnapshotRecord:
    """Return the snapshot of an ID.

    :raises EntityNotFound: ``Snapshot``
    """
    for record in records:
        if record.id == snapshot_id.lower():
            return record
    raise EntityNotFound("Snapshot", snapshot_id)


def new_snapshot(name: str, targets: Sequence[str]) -> tuple[str, str]:
    """Return the ID and the description of a new snapshot in these disks, and in the memory if it runs."""
    snapshot_id = str(uuid.uuid4())
    snapshot = ET.Element("domainsnapshot")
    ET.SubElement(snapshot, "name").text = _PREFIX + snapshot_id
    ET.SubElement(snapshot, "description").text = name
    disks = ET.SubElement(snapshot, "disks")
    for target in targets:
        # What the domain itself says of its disks may leave one out.
        ET.SubElement(disks, "disk", name=target, snapshot="internal")
    return snapshot_id, ET.tostring(snapshot, encoding="unicode")


def remove_snapshot(guest_id: str, snapshot_id: str, connection: "libvirt.virConnect") -> None:
    """Delete a snapshot of our own making, if it is there.

    :param snapshot_id: what `new_snapshot` returned
    """
    try:
        connection.lookupByUUIDString(guest_id).snapshotLookupByName(_PREFIX + snapshot_id).delete()
    except libvirt.libvirtError as error:
        if not is_error(error, libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT):
            raise


def _record(guest_id: str, handle: "libvirt.virDomainSnapshot", document: ET.Element) -> SnapshotRecord:
    label = document.findtext("name", "")
    created = document.findtext("creationTime", "0")
    own = _OWN.fullmatch(label)
    state = document.findtext("state", "")
    memory = document.find("memory")
    kinds = {disk.get("name", ""): disk.get("snapshot", "") for disk in document.iterfind("disks/disk")}
    outside = {"external", "manual"}
    return SnapshotRecord(
        handle=handle,
        id=own[1] if own else str(uuid.uuid5(_IDS, f"{guest_id} {created} {label}")),
        label=label,
        name=(document.findtext("description") if own else None) or label,
        state=state,
        parent=document.findtext("parent/name"),
        created_seconds=int(created),
        is_external=state == "disk-snapshot"
        or (memory is not None and memory.get("snapshot") in outside)
        or not outside.isdisjoint(kinds.values()),
        targets=frozenset(target for target, kind in kinds.items() if kind == "internal"),
        domain=document.find("domain"),
    )
