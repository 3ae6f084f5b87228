"""The growing of disks."""

from collections.abc import Callable

from simplestack import Conflict, GuestState
from simplestack_kvm.domains import need
from simplestack_kvm.records import DiskRecord
from simplestack_kvm.sdk import libvirt
from simplestack_kvm.session import KvmSession
from simplestack_kvm.volumes import volume_of


def plan_growth(
    session: KvmSession, domain: "libvirt.virDomain", disk: DiskRecord, size_bytes: int
) -> Callable[[], object]:
    """Return what makes a disk larger; the guest notices at once where it runs.

    :raises InvalidState: the guest is saved to disk
    :raises Conflict: the guest is stopped and its disk in no active storage: only QEMU could grow it
    """
    if domain.isActive():
        return lambda: domain.blockResize(disk.target, size_bytes, libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES)
    need(domain, "growing a disk of the guest", GuestState.STOPPED)
    volume = volume_of(session, disk)
    if volume is None:
        raise Conflict(f"disk {disk.target} lies in no active storage: start the guest to grow it")
    return lambda: volume.resize(size_bytes)
