"""Grow disks. A disk has the format that its domain says: what its guest wrote into it is only data.

A running guest's QEMU grows its disks itself. The disk of a guest that is off is grown by libvirt in the
format that it found in the volume's content, and qemu-img probes the content once more.

QEMU shrinks a disk that is larger than the new size. So the size is compared directly before the disk grows,
and requests take turns at both. If another process or tool makes the disk larger in the milliseconds in
between, QEMU shrinks it.
"""

from collections.abc import Callable
from functools import partial

from simplestack import Conflict, GuestState
from simplestack_kvm.errors import needing_parts
from simplestack_kvm.libvirtd.changes.turns import turn
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.guests.domains import require_guest_state
from simplestack_kvm.libvirtd.guests.records import DiskRecord
from simplestack_kvm.libvirtd.images.headers import UnusableImage, format_of
from simplestack_kvm.libvirtd.images.sources import known_format, read_start
from simplestack_kvm.libvirtd.storage.storages import refresh_pools
from simplestack_kvm.libvirtd.storage.volumes import volume_of
from simplestack_kvm.sdk import libvirt


def plan_growth(
    session: KvmSession,
    domain: "libvirt.virDomain",
    disk: DiskRecord,
    size_bytes: int,
    check: Callable[[int], object],
) -> Callable[[], object]:
    """Return a function that grows a disk. A running guest sees the new size at once.

    What is returned raises InvalidArguments if the disk of a running guest is larger by then, and Busy if
    another request does not finish to grow a disk of that guest.

    :param check: raises InvalidArguments if the disk has more than it would get, given its current bytes
    :raises InvalidState: the guest is saved to disk
    :raises Conflict: the guest is off, and only QEMU could grow its disk
    """
    if domain.isActive():
        return partial(_grow_running, domain, disk.target, size_bytes, check)
    require_guest_state(domain, "grow a disk of", GuestState.STOPPED)
    volume = volume_of(session, disk)
    if volume is None:
        raise Conflict(f"disk {disk.target} is not in an active storage: start the guest to grow it")
    attempt = f"grow disk {disk.target}"
    with needing_parts(attempt):
        agreed = _agree(session, volume, disk)
        if not agreed:
            refresh_pools([volume.storagePoolLookupByVolume()])
            agreed = _agree(session, volume, disk)
    if not agreed:
        raise Conflict(
            f"disk {disk.target} is {disk.format}, but its content looks like another format: "
            "start the guest to grow it"
        )

    def grow() -> None:
        with needing_parts(attempt):
            volume.resize(size_bytes)

    return grow


def _grow_running(
    domain: "libvirt.virDomain", target: str, size_bytes: int, check: Callable[[int], object]
) -> None:
    """Make a disk of a running guest larger.

    :raises InvalidArguments: it is larger
    :raises Busy: another request grows a disk of the guest
    """
    with turn(domain, "growing a disk of the guest"):
        # Only QEMU knows the size: libvirt's volume may show what the guest wrote.
        check(int(domain.blockInfo(target)[0]))
        domain.blockResize(target, size_bytes, libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES)


def _agree(session: KvmSession, volume: "libvirt.virStorageVol", disk: DiskRecord) -> bool:
    """Tell whether domain, libvirt and content have the same format for a disk."""
    try:
        return disk.format == known_format(volume) == format_of(read_start(session.connection, volume))
    except UnusableImage:  # a folder, for example
        return False


def unknown_size(disk: DiskRecord) -> Conflict:
    """Return the error for a disk that cannot grow since its current size is unknown."""
    return Conflict(
        f"the size of disk {disk.target} is unknown, so it cannot grow: its storage does not respond, or it "
        "is not in an active storage and the guest is stopped; try again later, or start the guest"
    )
