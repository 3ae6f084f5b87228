"""Disks of guests. Their ID is the key of the device."""

from msgspec import UNSET

from simplestack import Disk, DiskCreate, DiskUpdate, EntityNotFound, gib_to_bytes, hookimpl
from simplestack_vmware.entities import disk_entity
from simplestack_vmware.vsphere.changes.reconfiguring import reconfigure
from simplestack_vmware.vsphere.disks.changes import added_disk, find_disk
from simplestack_vmware.vsphere.disks.files import VmDisks
from simplestack_vmware.vsphere.disks.growth import grown_alone
from simplestack_vmware.vsphere.disks.reachable import datastore_on_host
from simplestack_vmware.vsphere.disks.removal import remove_disk
from simplestack_vmware.vsphere.disks.units import free_place
from simplestack_vmware.vsphere.inventory.devices import disks
from simplestack_vmware.vsphere.inventory.records import DatastoreRecord, VmDevices, VmHardware
from simplestack_vmware.vsphere.inventory.walks import TO_ITS_HOSTS_DATASTORES
from simplestack_vmware.vsphere.sessions.lookups import find_guest, find_guest_with, require_not_template
from simplestack_vmware.vsphere.sessions.session import VmwareSession

_NO_NAMES = "vSphere names disks itself: leave out `name`"


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


@hookimpl
def disk_create(session: VmwareSession, guest_id: str, disk: DiskCreate) -> Disk:
    """Add a thin disk at the first free unit, in the datastore of the guest's configuration by default.

    :raises Conflict: the guest's host does not have the storage, or the guest has no free unit
    """
    if disk.name is not None:
        raise NotImplementedError(_NO_NAMES)
    walks = () if disk.storage_id is None else TO_ITS_HOSTS_DATASTORES
    vm, others = find_guest_with(session, guest_id, VmDevices, walks, [DatastoreRecord])
    require_not_template(vm, "add a disk to")
    datastore = None if disk.storage_id is None else datastore_on_host(session, others, disk.storage_id)
    place = free_place(vm.devices)
    reconfigure(session, vm, added_disk(place, gib_to_bytes(disk.size), datastore))
    before = {each.key for each in disks(vm.devices)}
    # Others may have added more since.
    for each in _shown(find_guest(session, vm.id, VmHardware)):
        if int(each.id) not in before and each.number == f"{place.bus}:{place.unit}":
            return each
    raise EntityNotFound("Disk", f"{place.bus}:{place.unit}")  # somebody has just deleted it


@hookimpl
def disk_update(session: VmwareSession, guest_id: str, disk_id: str, changes: DiskUpdate) -> Disk:
    """Grow a disk, also while the guest runs. vSphere cannot grow disks of guests with snapshots.

    :raises Conflict: another VM uses the file, or may use it
    """
    if changes.name is not UNSET:
        raise NotImplementedError(_NO_NAMES)
    vm = find_guest(session, guest_id, VmDevices)
    require_not_template(vm, "change a disk of")
    disk = find_disk(vm, disk_id)
    if changes.size is not UNSET:
        reconfigure(session, vm, grown_alone(session, vm, disk, gib_to_bytes(changes.size)))
    return disk_info(session, vm.id, disk_id)


@hookimpl
def disk_delete(session: VmwareSession, guest_id: str, disk_id: str) -> None:
    """Detach a disk and delete its file. A file that others use stays: a warning says so."""
    vm = find_guest(session, guest_id, VmDisks)
    require_not_template(vm, "delete a disk of")
    remove_disk(session, vm, disk_id)


def _shown(vm: VmHardware) -> list[Disk]:
    buses = {device.key: device.bus_number or 0 for device in vm.devices}
    return [disk_entity(disk, buses) for disk in disks(vm.devices)]
