"""Network interfaces, and copies of guests with their devices."""

import uuid

from msgspec.structs import replace

from simplestack import GuestState
from simplestack.mock.store.records import GuestRecord, Hardware, InterfaceRecord, free_device
from simplestack.mock.store.states import require_guest_state
from simplestack.mock.store.world import World


def new_interface(world: World, hardware: Hardware, network: str, mac: str | None = None) -> InterfaceRecord:
    """Return an interface for the lowest free device.

    :param network: name or id
    :param mac: None generates one
    :raises EntityNotFound: ``Network``
    """
    return InterfaceRecord(
        mac=mac or world.free_mac([interface.mac for interface in hardware.interfaces]),
        device=free_device(hardware.interfaces),
        network=world.network(network, or_name=True).name,
    )


def copied(world: World, origin: GuestRecord, name: str, storage: str | None = None) -> GuestRecord:
    """Return a copy of a guest, with new disks and MAC addresses.

    :param storage: name of the storage for the disks. Default: that of the original disk
    :raises InvalidState: the original is not stopped
    """
    require_guest_state(origin, "clone", GuestState.STOPPED)
    disks = [
        replace(disk, id=str(uuid.uuid4()), storage=storage or disk.storage) for disk in origin.hardware.disks
    ]
    macs: list[str] = []
    for _ in origin.hardware.interfaces:
        macs.append(world.free_mac(macs))
    interfaces = [
        replace(interface, mac=mac) for interface, mac in zip(origin.hardware.interfaces, macs, strict=True)
    ]
    hardware = replace(origin.hardware, disks=tuple(disks), interfaces=tuple(interfaces))
    return GuestRecord(id=str(uuid.uuid4()), name=name, hardware=hardware, tags=origin.tags)
