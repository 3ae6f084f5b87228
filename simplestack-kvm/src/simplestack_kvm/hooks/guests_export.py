"""Export guests."""

from simplestack import Export, hookimpl
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.guests.domains import find_domain
from simplestack_kvm.libvirtd.transfer.exporting import export_guest


@hookimpl
def guest_export(session: KvmSession, guest_id: str) -> Export:
    """Export a stopped guest as an OVA: its disks as they are now, without snapshots and media.

    :raises InvalidState: the guest runs, is paused or saved to disk
    :raises InsufficientStorage: a disk must be copied first, and there is no room for the copy
    :raises NotImplementedError: a disk is in the network, or encrypted
    """
    return export_guest(session, find_domain(session, guest_id))
