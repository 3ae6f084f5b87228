"""Clones of VMs and templates by vCenter: one task, which also changes the clone."""

from typing import TYPE_CHECKING

from simplestack_vmware.sdk import vim
from simplestack_vmware.vsphere.changes.undo import Undo
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.disks.additions import added_disks
from simplestack_vmware.vsphere.guests.creation import make_vm
from simplestack_vmware.vsphere.guests.hardware import Hardware, new_cards
from simplestack_vmware.vsphere.guests.origins import VmOrigin
from simplestack_vmware.vsphere.guests.placement import Place
from simplestack_vmware.vsphere.inventory.devices import CD_DRIVE, interfaces
from simplestack_vmware.vsphere.media.drives import added, ejected, has_iso, inserted, medium_for_copy
from simplestack_vmware.vsphere.networks.copied_cards import removed_cards, renewed_cards
from simplestack_vmware.vsphere.sessions.session import VmwareSession

if TYPE_CHECKING:
    Changes = list[vim.vm.device.VirtualDeviceSpec]

#: Copies all files that disks are based on, too, and shares none.
_WHOLE = "moveAllDiskBackingsAndDisallowSharing"


def clone_vm(
    session: VmwareSession,
    undo: Undo,
    origin: VmOrigin,
    place: Place,
    *,
    config: "vim.vm.ConfigSpec",
    hardware: Hardware,
) -> Ref:
    """Copy a VM with its current disks, without snapshots.

    :param undo: removes the copy
    :param config: what differs, with the name and the instance UUID
    """
    api = session.api
    location = vim.vm.RelocateSpec(
        pool=api.object(place.pool), host=api.object(place.host), diskMoveType=_WHOLE
    )
    if place.datastore is not None:
        location.datastore = api.object(place.datastore.ref)
    config.deviceChange = _changes(origin, hardware)
    spec = vim.vm.CloneSpec(location=location, config=config, template=False, powerOn=False)
    clone = session.vm(origin).CloneVM_Task
    return make_vm(session, undo, config, clone, api.object(place.folder), config.name, spec)


def _changes(origin: VmOrigin, hardware: Hardware) -> "Changes":
    """Return how the devices differ. Networks that are wanted take the place of those of the original."""
    cards = interfaces(origin.devices)
    changes = [*removed_cards(cards), *new_cards(hardware)] if hardware.networks else renewed_cards(cards)
    if hardware.disks:
        changes += added_disks(origin.devices, hardware.disks)
    drives = sorted(
        (each for each in origin.devices if each.type_name == CD_DRIVE), key=lambda each: each.key
    )
    for drive in drives:
        if hardware.iso is not None and drive is drives[0]:
            changes += inserted(drive, hardware.iso)
        elif has_iso(drive) and medium_for_copy(drive, origin.files) is None:
            changes += ejected(drive)
    if hardware.iso is not None and not drives:
        changes += added(origin, hardware.iso)
    return changes
