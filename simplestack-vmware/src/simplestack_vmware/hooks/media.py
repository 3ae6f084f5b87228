"""The CD drive."""

from simplestack import Media, hookimpl
from simplestack_vmware.entities import media_entity
from simplestack_vmware.vsphere.inventory.devices import cd_drive
from simplestack_vmware.vsphere.inventory.records import VmHardware
from simplestack_vmware.vsphere.sessions.lookups import find_guest
from simplestack_vmware.vsphere.sessions.session import VmwareSession


@hookimpl
def media_info(session: VmwareSession, guest_id: str) -> Media:
    """Show the path of the ISO image in a guest's first CD drive, ``[datastore] path``."""
    return media_entity(cd_drive(find_guest(session, guest_id, VmHardware).devices))
