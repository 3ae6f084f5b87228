"""Convert records to entities. Pure functions."""

from simplestack import Disk, Guest, GuestState, Network, NetworkInterface, Snapshot, gib
from simplestack.mock.store.records import (
    DiskRecord,
    GuestRecord,
    GuestSummary,
    InterfaceRecord,
    NetworkRecord,
)


def guest_entity(guest: GuestSummary) -> Guest:
    """Show a guest."""
    return Guest(
        id=guest.id,
        name=guest.name,
        cpus=guest.cpus,
        memory=guest.memory_mib,
        hdd=gib(guest.disk_bytes),
        paravirtualized=guest.paravirtualized,
        tools_up_to_date=True if guest.state is GuestState.STARTED else None,
        ip=guest.address,
        state=guest.state,
        host=guest.host,
    )


def disk_entity(disk: DiskRecord) -> Disk:
    """Show a disk."""
    return Disk(
        id=disk.id,
        name=disk.name,
        number=str(disk.device),
        size=gib(disk.size_bytes),
        extra_info=disk.storage,
    )


def interface_entity(interface: InterfaceRecord) -> NetworkInterface:
    """Show a network interface."""
    return NetworkInterface(
        id=interface.mac,
        number=str(interface.device),
        mac=interface.mac,
        network=interface.network,
        locking_mode=interface.locking_mode,
        ipv4_allowed=interface.ipv4_allowed,
        ipv6_allowed=interface.ipv6_allowed,
        ratelimit=interface.ratelimit,
        active=interface.active,
    )


def snapshot_entities(guest: GuestRecord) -> dict[str, Snapshot]:
    """Show a guest's snapshots by ID, oldest first. The path of a snapshot has its ancestors."""
    shown: dict[str, Snapshot] = {}
    for snapshot in guest.snapshots:  # a parent is older than its children
        path = f"{shown[snapshot.parent].path}/{snapshot.name}" if snapshot.parent else snapshot.name
        shown[snapshot.id] = Snapshot(
            id=snapshot.id, name=snapshot.name, state=snapshot.state, path=path, created=snapshot.created
        )
    return shown


def network_entity(network: NetworkRecord) -> Network:
    """Show a network."""
    return Network(
        id=network.id,
        name_label=network.name,
        bridge=network.bridge,
        name_description=network.description,
        other_config=network.other_config,
    )
