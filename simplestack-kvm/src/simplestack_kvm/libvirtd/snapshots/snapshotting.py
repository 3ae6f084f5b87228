"""Take snapshots, and check them: libvirt reports success for some that QEMU did not write."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from contextlib import suppress

from simplestack import Busy, Conflict
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.guests.records import DiskRecord, disk_elements, disk_format, disk_records
from simplestack_kvm.libvirtd.guests.snapshot_records import SnapshotRecord
from simplestack_kvm.libvirtd.images.headers import UnusableImage
from simplestack_kvm.libvirtd.images.snapshots import ImageSnapshot, image_snapshots
from simplestack_kvm.libvirtd.storage.volumes import volume_of


def snapshot_targets(document: ET.Element) -> list[str]:
    """Return the targets of the disks that a snapshot of a guest is in: all that the guest writes to.

    :param document: the guest's description
    :raises NotImplementedError: libvirt cannot take a snapshot of such a guest
    """
    system = document.find("os")
    if system is not None and (
        system.get("firmware") == "efi"
        or system.find("nvram") is not None
        or system.find("loader[@type='pflash']") is not None
    ):
        raise NotImplementedError(
            "libvirt takes no snapshots of guests that boot by UEFI: clone the guest instead"
        )
    targets = []
    for element, disk in zip(disk_elements(document), disk_records(document), strict=True):
        if element.find("readonly") is not None:
            continue
        if disk_format(element) != "qcow2":
            raise NotImplementedError(
                f"disk {disk.target} is {disk.format}, and only qcow2 disks have snapshots: convert it, or "
                "clone the guest instead"
            )
        if not disk.own:
            raise NotImplementedError(
                f"disk {disk.target} is shareable or transient, so it has no snapshots: detach it first"
            )
        targets.append(disk.target)
    if not targets:
        raise NotImplementedError("the guest has no disk that a snapshot could be in: add a disk first")
    return targets


def reject_external(records: Sequence[SnapshotRecord], attempt: str) -> None:
    """Reject what could destroy snapshots that are in files of their own.

    :param records: all snapshots of a guest
    :param attempt: what was tried, such as ``revert the guest``
    :raises NotImplementedError: one of them is such a snapshot
    """
    for record in records:
        if record.is_external:
            raise NotImplementedError(
                f"cannot {attempt}: its snapshot {record.name!r} is external (in a file of its own), which "
                "is not supported yet; use virsh on the host"
            )


def missing_targets(session: KvmSession, disks: Sequence[DiskRecord], label: str) -> list[str]:
    """Return the disks that certainly do not have a snapshot that they should have.

    :param label: libvirt's name of it
    """
    missing = []
    for disk in disks:
        with suppress(Busy):  # which tells nothing
            found = _snapshots_in(session, disk)
            if found is not None and label not in [snapshot.name for snapshot in found]:
                missing.append(disk.target)
    return missing


def require_intact(session: KvmSession, record: SnapshotRecord) -> None:
    """Check that QEMU finds a snapshot, and no other one, in all of its disks. A revert of a part loses data.

    :raises Conflict: it does not, or nobody can tell
    """
    if record.domain is None:
        raise Conflict(
            f"libvirt does not know what the guest had when snapshot {record.name!r} was taken: use another "
            "snapshot"
        )
    for disk in record.disks:
        if disk.target not in record.targets:
            continue
        found = _snapshots_in(session, disk)
        if found is None:
            raise not_in_storage(disk, record)
        if record.label not in [snapshot.name for snapshot in found]:
            raise Conflict(
                f"disk {disk.target} no longer has snapshot {record.name!r}: it was replaced, or another "
                "tool deleted the snapshot in it"
            )
        _reject_ambiguous(record, disk, found)


def not_in_storage(disk: DiskRecord, record: SnapshotRecord) -> Conflict:
    """Return the error for a disk that nobody can check."""
    return Conflict(
        f"disk {disk.target} of snapshot {record.name!r} is not in an active storage: create a storage for "
        "its folder, or restore the disk"
    )


def require_unambiguous(session: KvmSession, record: SnapshotRecord) -> None:
    """Check that QEMU deletes no other snapshot when it is told to delete this one.

    :raises Conflict: it may
    """
    for disk in record.disks:
        if disk.target in record.targets:
            _reject_ambiguous(record, disk, _snapshots_in(session, disk))


def _reject_ambiguous(record: SnapshotRecord, disk: DiskRecord, found: list[ImageSnapshot] | None) -> None:
    if found is None:
        if not record.label.isdigit():
            return
        others = 1
    else:
        others = sum(
            record.label in (snapshot.number, snapshot.name)
            for snapshot in found
            if snapshot.name != record.label
        ) + max(0, [snapshot.name for snapshot in found].count(record.label) - 1)
    if others:
        raise Conflict(
            f"QEMU may take another snapshot in disk {disk.target} for snapshot {record.name!r}, since they "
            "have the same name or number: use qemu-img on the host"
        )


def _snapshots_in(session: KvmSession, disk: DiskRecord) -> list[ImageSnapshot] | None:
    """Return the snapshots in a disk's image; None if nobody can tell."""
    volume = volume_of(session, disk)
    if volume is None:
        return None
    try:
        return image_snapshots(volume)
    except UnusableImage as error:
        raise Conflict(f"disk {disk.target} {error}") from None
