"""Create guests from templates, from images or with empty disks. A failed creation leaves nothing behind."""

import uuid
from typing import Any

from msgspec.structs import replace

from simplestack import Guest, GuestCreate, Name, gib_to_bytes, hookimpl
from simplestack_vmware.hooks.guests import show_guest
from simplestack_vmware.sdk import vim
from simplestack_vmware.vsphere.changes.undo import Undo
from simplestack_vmware.vsphere.disks.additions import NewDisk
from simplestack_vmware.vsphere.disks.copies import DiskFile
from simplestack_vmware.vsphere.guests.assembly import add_copies, create_vm
from simplestack_vmware.vsphere.guests.cloud_init import cloud_init_options
from simplestack_vmware.vsphere.guests.copying import copy_vm, find_copyable
from simplestack_vmware.vsphere.guests.creation import start_vm
from simplestack_vmware.vsphere.guests.hardware import Hardware, new_devices
from simplestack_vmware.vsphere.guests.naming import require_free_name, require_only_name
from simplestack_vmware.vsphere.guests.origins import VmOrigin
from simplestack_vmware.vsphere.guests.placement import Place, Wishes, choose_place, stores_near
from simplestack_vmware.vsphere.guests.sizes import check_cpus, check_memory, sized_kind
from simplestack_vmware.vsphere.guests.topology import Topology
from simplestack_vmware.vsphere.inventory.names import datastore_in, encoded
from simplestack_vmware.vsphere.media.images import find_disk_image, find_iso
from simplestack_vmware.vsphere.sessions.lookups import find_guest
from simplestack_vmware.vsphere.sessions.session import VmwareSession

#: Linux 3 or later: vSphere has paravirtual devices for it, and other operating systems start with it, too.
_DEFAULT_SYSTEM, _PLAIN_SYSTEM = "other3xLinux64Guest", "otherGuest64"
_FIRMWARE = {"bios": "bios", "uefi": "efi"}


class VmwareGuestCreate(GuestCreate, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new guest: a copy of ``template``, or created from ``image`` and ``disks``."""

    #: ID or name of the cluster. Default: the setting ``cluster``, else the one of the host that has the most
    #: free memory.
    cluster: Name | None = None
    #: ID or name of the resource pool. Default: the setting ``resource_pool``, else the cluster's own.
    resource_pool: Name | None = None
    #: ID or name of the folder for VMs. Default: the setting ``folder``, else the datacenter's own.
    folder: Name | None = None
    #: vSphere's name of the operating system, such as ``windows2019srv_64Guest``. Default: the template's,
    #: else a Linux.
    guest_os: Name | None = None


@hookimpl
def guest_create(session: VmwareSession, guest: VmwareGuestCreate) -> Guest:
    """Create a guest on the host with the most free memory that has its storages and networks.

    A template gives all that the request does not: its disks come first, and interfaces that the request
    names take the place of the template's. An image is a VMDK file in a datastore: the guest's first disk is
    a copy of it. Without a template, the guest has a CD drive.

    :raises NotImplementedError: a disk has a name, or ``paravirtualized`` is not that of the template
    """
    if any(disk.name is not None for disk in guest.disks):
        raise NotImplementedError("vSphere names disks itself: leave out `name`")
    if guest.memory is not None:
        check_memory(guest.memory)
    guest_id = str(uuid.uuid4())
    origin = None if guest.template is None else find_copyable(session, guest.template)
    if origin is not None:
        _check_fits(session, guest, origin)
    options = None if origin is None else [option.key for option in origin.options]
    config = _config(guest, guest_id)
    config.extraConfig = cloud_init_options(guest_id, guest.cloud_init, options)
    place, hardware, image = _plan(session, guest, origin)
    with Undo() as undo:
        if origin is not None:
            vm = copy_vm(session, undo, origin, place, config=config, hardware=hardware)
        elif image is not None:
            config.deviceChange = new_devices(hardware._replace(disks=()))
            vm = create_vm(session, undo, place, config)
            add_copies(session, vm, place, [DiskFile(image)], more=hardware.disks)
        else:
            config.deviceChange = new_devices(hardware)
            vm = create_vm(session, undo, place, config)
        require_only_name(session, guest.name, vm)
        if guest.start:
            start_vm(session, vm)
        return show_guest(session, guest_id)


def _check_fits(session: VmwareSession, guest: VmwareGuestCreate, origin: VmOrigin) -> None:
    if guest.paravirtualized not in (None, origin.is_paravirtualized):
        raise NotImplementedError(
            "`paravirtualized` cannot differ from that of the `template`, since the guest may lack the "
            "drivers to boot from another disk controller: leave it out"
        )
    if guest.cpus is not None and guest.cpus % max(1, origin.cores_per_socket):
        check_cpus(find_guest(session, origin.id, sized_kind(session)), guest.cpus)


def _plan(
    session: VmwareSession, guest: VmwareGuestCreate, origin: VmOrigin | None
) -> tuple[Place, Hardware, str | None]:
    """Look up all that a request names, and choose a place.

    :return: the place, what is added to the guest, and the path of the image of its first disk
    """
    topology = Topology.read(session)
    require_free_name(guest.name, topology.vms)
    wishes = Wishes(
        cluster=guest.cluster,
        resource_pool=guest.resource_pool,
        folder=guest.folder,
        storage=guest.storage,
        networks=[new.network for new in guest.network_interfaces],
        storages=[disk.storage for disk in guest.disks if disk.storage is not None],
    ).or_settings(session.settings)
    stores = stores_near(topology, wishes)
    iso = None if guest.iso is None else find_iso(session, stores, guest.iso)
    image = None if guest.image is None else find_disk_image(session, stores, guest.image)
    wishes = replace(wishes, images=[datastore_in(path) for path in (iso, image) if path is not None])
    source = None
    if origin is not None:
        source = origin.place(keeps_networks=not guest.network_interfaces, keeps_folder=False)
    place = choose_place(topology, wishes, source)
    named = iter(place.datastores)
    disks = [
        NewDisk(gib_to_bytes(disk.size), "" if disk.storage is None else f"[{next(named).stored_name}]")
        for disk in guest.disks
    ]
    is_paravirtualized = guest.paravirtualized is not False if origin is None else origin.is_paravirtualized
    hardware = Hardware(
        disks=disks,
        networks=place.networks,
        switch_uuids=topology.switch_uuids,
        iso=iso,
        paravirtualized=is_paravirtualized,
    )
    return place, hardware, image


def _config(guest: VmwareGuestCreate, guest_id: str) -> "vim.vm.ConfigSpec":
    """Return the configuration without devices; a copy keeps what it leaves out."""
    fields: dict[str, Any] = {"memoryMB": guest.memory, "numCPUs": guest.cpus, "guestId": guest.guest_os}
    if guest.template is None:
        system = _PLAIN_SYSTEM if guest.paravirtualized is False else _DEFAULT_SYSTEM
        fields |= {"numCPUs": guest.cpus or 1, "guestId": guest.guest_os or system}
    if guest.firmware is not None:
        fields["firmware"] = _FIRMWARE[guest.firmware]
    return vim.vm.ConfigSpec(name=encoded(guest.name), instanceUuid=guest_id, **fields)
