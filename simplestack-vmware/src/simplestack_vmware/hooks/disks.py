"""Disks of guests. Their ID is the key of the device."""

from simplestack import Disk, EntityNotFound, hookimpl
from simplestack_vmware.entities import disk_entity
from simplestack_vmware.vsphere.devices import disks
from simplestack_vmware.vsphere.lookups import find_guest
from simplestack_vmware.vsphere.records import VmHardware
from simplestack_vmware.vsphere.session import VmwareSession


@hookimpl
def disk_list(session: VmwareSession, guest_id: str) -> list[Disk]:
    """List a guest's disks."""
    return _shown(find_guest(session, guest_id, VmHardware))


@hookimpl
def disk_info(session: VmwareSession, guest_id: str, disk_id: str) -> Disk:
    """Show one disk of a guest."""
    for disk in _shown(find_guest(session, guest_id, VmHardware)):
        if disk.id == disk_id:
            return disk
    raise EntityNotFound("Disk", disk_id)


def _shown(vm: VmHardware) -> list[Disk]:
    buses = {device.key: device.bus_number or 0 for device in vm.devices}
    return [disk_entity(disk, buses) for disk in disks(vm.devices)]
