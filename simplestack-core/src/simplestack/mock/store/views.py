"""Records as the entities that clients see. Pure functions."""

import msgspec

from simplestack import Disk, Guest, GuestState, Network, NetworkInterface, Snapshot, gib
from simplestack.mock.store.landscape import Landscape
from simplestack.mock.store.records import (
    DiskRecord,
    GuestRecord,
    InterfaceRecord,
    NetworkRecord,
    SnapshotRecord,
)


class _StoredGuest(Guest, frozen=True, kw_only=True):
    """A guest whose whole number of GiB stays an int when it is decoded: the wire says ``10``."""

    hdd: int | float


decode_entity = msgspec.json.Decoder(_StoredGuest).decode
_decode_list = msgspec.json.Decoder(list[_StoredGuest]).decode


def decode_entities(document: bytes) -> list[Guest]:
    """Decode a JSON array of guests."""
    return [*_decode_list(document)]


def guest_entity(guest: GuestRecord) -> Guest:
    """Show a guest. What it knows of itself only while it runs is None otherwise."""
    runs = guest.state is GuestState.STARTED
    return _StoredGuest(
        id=guest.id,
        name=guest.name,
        cpus=guest.hardware.cpus,
        memory=guest.hardware.memory_mib,
        hdd=gib(guest.hardware.disk_bytes),
        paravirtualized=guest.hardware.paravirtualized,
        tools_up_to_date=True if runs else None,
        ip=_first_address(guest) if runs else None,
        state=guest.state,
        host=guest.host,
    )


def _first_address(guest: GuestRecord) -> str | None:
    """Return the address that the guest got: each MAC address gets the same one each time."""
    for interface in guest.hardware.interfaces:
        if interface.active:
            octets = bytes.fromhex(interface.mac.replace(":", ""))
            return f"10.{octets[3]}.{octets[4]}.{octets[5] % 254 + 1}"
    return None


def disk_entity(disk: DiskRecord, landscape: Landscape) -> Disk:
    """Show a disk."""
    return Disk(
        id=disk.id,
        name=disk.name,
        number=str(disk.device),
        size=gib(disk.size_bytes),
        extra_info=f"{landscape.storage(disk.storage).name}/{disk.id}.img",
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


def snapshot_entities(guest: GuestRecord) -> list[Snapshot]:
    """Show a guest's snapshots, oldest first. Each lies under the one that the guest was based on."""
    paths: dict[str, str] = {}
    for snapshot in guest.snapshots:  # a parent is older than its children
        paths[snapshot.id] = (
            snapshot.name if snapshot.parent is None else f"{paths[snapshot.parent]}/{snapshot.name}"
        )
    return [_snapshot_entity(snapshot, paths[snapshot.id]) for snapshot in guest.snapshots]


def _snapshot_entity(snapshot: SnapshotRecord, path: str) -> Snapshot:
    return Snapshot(
        id=snapshot.id, name=snapshot.name, state=snapshot.state, path=path, created=snapshot.created
    )


def network_entity(network: NetworkRecord) -> Network:
    """Show a network."""
    return Network(
        id=network.id,
        name_label=network.name,
        bridge=network.bridge,
        name_description=network.description,
        other_config=network.other_config,
    )
