"""Export guests."""

from simplestack import Export, hookimpl
from simplestack_vmware.vsphere.sessions.lookups import find_guest
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simplestack_vmware.vsphere.transfer.exporting import VmExport, export_guest


@hookimpl
def guest_export(session: VmwareSession, guest_id: str) -> Export:
    """Export a stopped guest as an OVA, with its disks as they are now, split into chunks.

    :raises InvalidState: the guest runs, is suspended or a template
    :raises Conflict: a disk of the guest cannot be exported
    """
    return export_guest(session, find_guest(session, guest_id, VmExport))
