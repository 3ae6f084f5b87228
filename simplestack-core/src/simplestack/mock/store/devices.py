"""A guest's disks and network interfaces: found, added, copied. Pure but for new ids and MAC addresses."""

import uuid
from collections.abc import Sequence

from msgspec.structs import replace

from simplestack import EntityNotFound
from simplestack.mock.store.changes import Change
from simplestack.mock.store.records import (
    NOTHING,
    Content,
    DiskRecord,
    GuestRecord,
    Hardware,
    InterfaceRecord,
)


def find_disk(guest: GuestRecord, disk_id: str) -> DiskRecord:
    """Find a disk of a guest.

    :raises EntityNotFound: ``Disk``
    """
    for disk in guest.hardware.disks:
        if disk.id == disk_id:
            return disk
    raise EntityNotFound("Disk", disk_id)


def find_interface(guest: GuestRecord, interface_id: str) -> InterfaceRecord:
    """Find a network interface of a guest by its MAC address, in any letter case.

    :raises EntityNotFound: ``NetworkInterface``
    """
    mac = interface_id.lower()
    for interface in guest.hardware.interfaces:
        if interface.mac == mac:
            return interface
    raise EntityNotFound("NetworkInterface", interface_id)


def free_device(devices: Sequence[DiskRecord] | Sequence[InterfaceRecord]) -> int:
    """Return the lowest device number that is free."""
    taken = {device.device for device in devices}
    return next(number for number in range(len(taken) + 1) if number not in taken)


def with_disk(hardware: Hardware, disk: DiskRecord) -> Hardware:
    """Return the hardware with a disk added, or in place of the one with its id."""
    others = (other for other in hardware.disks if other.id != disk.id)
    return replace(hardware, disks=tuple(sorted((*others, disk), key=lambda found: found.device)))


def new_disk(
    guest: str,
    hardware: Hardware,
    storage: str,
    size_bytes: int,
    *,
    name: str | None = None,
    content: Content = NOTHING,
) -> DiskRecord:
    """Return a disk for the lowest free device of a guest.

    :param guest: the guest's name, which goes into the disk's where that is None
    :param storage: id of the storage
    """
    device = free_device(hardware.disks)
    return DiskRecord(
        id=str(uuid.uuid4()),
        name=name or f"{guest[:240]} disk {device}",
        device=device,
        size_bytes=size_bytes,
        storage=storage,
        content=content,
    )


def with_interface(hardware: Hardware, interface: InterfaceRecord) -> Hardware:
    """Return the hardware with a network interface added, or in place of the one with its MAC address."""
    others = (other for other in hardware.interfaces if other.mac != interface.mac)
    return replace(hardware, interfaces=tuple(sorted((*others, interface), key=lambda found: found.device)))


def new_interface(change: Change, hardware: Hardware, network: str, mac: str | None = None) -> Hardware:
    """Return the hardware with one more interface.

    :param network: name or id
    :param mac: made up when None
    :raises EntityNotFound: ``Network``
    """
    name = change.network(network).name
    taken = [interface.mac for interface in hardware.interfaces]
    return with_interface(
        hardware,
        InterfaceRecord(
            mac=change.free_mac(taken) if mac is None else mac,
            device=free_device(hardware.interfaces),
            network=name,
        ),
    )


def copied(change: Change, hardware: Hardware, storage: str | None = None) -> Hardware:
    """Return hardware with the same contents on disks of its own, and with MAC addresses of its own.

    :param storage: id of the storage for the disks; where they lie now when None
    """
    taken: list[str] = []
    for _ in hardware.interfaces:
        taken.append(change.free_mac(taken))
    return replace(
        hardware,
        disks=tuple(
            replace(disk, id=str(uuid.uuid4()), storage=storage or disk.storage) for disk in hardware.disks
        ),
        interfaces=tuple(
            replace(interface, mac=mac) for interface, mac in zip(hardware.interfaces, taken, strict=True)
        ),
    )
