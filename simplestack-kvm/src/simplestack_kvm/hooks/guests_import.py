"""Import guests. A failed import leaves nothing behind."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from msgspec import UNSET

from simplestack import Guest, GuestImport, ImportStream, InvalidArguments, hookimpl, warn
from simplestack.appliances import (
    Announced,
    Appliance,
    ApplianceDisk,
    ApplianceInterface,
    Bus,
    Incoming,
    open_archive,
)
from simplestack_kvm.errors import needing_parts
from simplestack_kvm.hooks.guests import show_guest
from simplestack_kvm.libvirtd.changes.leftovers import Leftovers
from simplestack_kvm.libvirtd.connection.lookups import find_network
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.guests.domain_xml import VolumeSource
from simplestack_kvm.libvirtd.guests.naming import check_name, unused_name
from simplestack_kvm.libvirtd.storage.storages import available_bytes, choose_pool
from simplestack_kvm.libvirtd.transfer.appliance_guests import Content, create_guest
from simplestack_kvm.libvirtd.transfer.appliance_imports import ApplianceImport
from simplestack_kvm.libvirtd.transfer.image_imports import READABLE, Destination, DiskImports, check_start

_WHAT = "the image"
_EXAMPLE = "`?name=web&memory=1024`"
_NOT_DESCRIBED = (
    f"These can be imported: an OVA (tar), {READABLE}; and raw data, if the query describes the guest "
    f"({_EXAMPLE})"
)


@hookimpl
def guest_import(
    session: KvmSession,
    stream: ImportStream,
    size: int | None,
    storage_id: str | None,
    description: GuestImport | None,
) -> Guest:
    """Create a guest from an OVA, or from the image of a disk and its description in the query.

    :raises InvalidArguments: the image cannot be read, or does not describe its guest, nor does the query
    """
    wanted = description or GuestImport()
    destination = Destination(session, choose_pool(session, storage_id))
    if size is not None:
        destination.require_room(size)
    body = Incoming(stream if size is None else Announced(stream, size, "the body"))
    archive = open_archive(body, lambda: available_bytes(destination.pool))
    content: Content
    if archive is None:
        content = disk = _BareDisk(body, size)
        appliance = disk.describe(wanted)
    else:
        content = packed = ApplianceImport(archive)
        appliance = packed.appliance
    if wanted.start and appliance.template:
        raise InvalidArguments(
            "`start`: the guest of the image is a template, which does not start: leave it out"
        )
    with Leftovers(session) as made:
        appliance = _changed(session, appliance, wanted)
        domain = create_guest(session, made, destination, appliance, content)
        if wanted.start:
            with needing_parts("start the new guest"):
                domain.create()
        return show_guest(session, domain)


class _BareDisk:
    """The image of a disk, as the content of a guest with one disk."""

    nvram = None

    def __init__(self, image: Incoming, size: int | None) -> None:
        self._image = image
        self._size = size

    def describe(self, wanted: GuestImport) -> Appliance:
        """Return a guest as far as the query describes it.

        :raises InvalidArguments: it does not
        """
        if wanted.name is UNSET or wanted.memory is UNSET:
            check_start(self._image, _WHAT, raw_advice=_NOT_DESCRIBED)
            raise InvalidArguments(
                f"{_WHAT} is that of a disk, which does not describe its guest: describe it in the query "
                f"({_EXAMPLE})"
            )
        disk = ApplianceDisk(href=None, capacity_bytes=0, bus="virtio")
        return Appliance(name=wanted.name, memory_mib=wanted.memory, cpus=1, disks=(disk,))

    def read_disks(self, imports: DiskImports) -> list[VolumeSource]:
        """Make the volume of the disk."""
        header = check_start(self._image, _WHAT, raw_advice=None)
        return [imports.add(self._image, header, _WHAT, self._size)]


def _changed(session: KvmSession, appliance: Appliance, wanted: GuestImport) -> Appliance:
    """Return a guest with what the query says of it.

    A name in the query must be free. Two guests of the same image get different names.

    :raises EntityNotFound: ``Network``
    :raises Conflict: another guest has the name in the query
    """
    changes: dict[str, Any] = {}
    if wanted.name is UNSET:
        changes["name"] = unused_name(session, appliance.name)
        if changes["name"] != appliance.name:
            warn(f"the guest is named {changes['name']!r}, since another one has the name {appliance.name!r}")
    else:
        check_name(session, wanted.name)
        changes["name"] = wanted.name
    if wanted.memory is not UNSET:
        changes["memory_mib"] = wanted.memory
    if wanted.cpus is not UNSET:
        changes["cpus"] = wanted.cpus
    if wanted.firmware is not UNSET:
        changes["firmware"] = "efi" if wanted.firmware == "uefi" else "bios"
    interfaces = appliance.interfaces
    if wanted.network:
        networks = [find_network(session, network).name() for network in wanted.network]
        _warn_of_locks(interfaces)
        interfaces = tuple(ApplianceInterface(network=name) for name in networks)
    if wanted.paravirtualized is not UNSET:
        bus: Bus = "virtio" if wanted.paravirtualized else "sata"
        changes["disks"] = tuple(replace(disk, bus=bus, controller=None) for disk in appliance.disks)
        interfaces = tuple(replace(interface, model=None) for interface in interfaces)
    return replace(appliance, interfaces=interfaces, **changes)


def _warn_of_locks(interfaces: Sequence[ApplianceInterface]) -> None:
    """Warn of the locks of interfaces that those in the query replace: these are on other networks."""
    locks = [
        f"locked ({', '.join(interface.ipv4_allowed) or 'no addresses'})"
        if interface.locking_mode == "locked"
        else interface.locking_mode
        for interface in interfaces
        if interface.locking_mode is not None
    ]
    if locks:
        warn(
            "the interfaces on the networks in the query have no locks, which those of the image have: "
            f"{'; '.join(locks)}; set `locking_mode` of the new interfaces"
        )
