"""Convert vSphere's records to entities. Pure functions."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from simplestack import (
    MIB,
    Disk,
    Guest,
    GuestState,
    Host,
    Media,
    Network,
    NetworkInterface,
    Pool,
    Snapshot,
    Storage,
    gib,
)
from simplestack_vmware.vsphere.inventory.devices import (
    DISK,
    FIRST_INTERFACE_KEY,
    ISO_BACKING,
    PARAVIRTUAL_SCSI,
    Device,
    ListedDevice,
)
from simplestack_vmware.vsphere.inventory.names import decoded, shown_path
from simplestack_vmware.vsphere.inventory.records import (
    STATES,
    ClusterName,
    DatastoreRecord,
    HostRecord,
    NetworkRecord,
    OpaqueNetworkRecord,
    PortGroupRecord,
    SnapshotTree,
    VmSummary,
)
from simplestack_vmware.vsphere.networks.cards import BITS_IN_MBIT

if TYPE_CHECKING:
    from simplestack_vmware.sdk import vim

_CONNECTED = "connected"
#: States of VMware Tools, with whether they are up to date. vSphere does not manage tools that the guest's
#: own distribution keeps up to date.
_TOOLS = {
    "guestToolsCurrent": True,
    "guestToolsUnmanaged": True,
    "guestToolsSupportedOld": False,
    "guestToolsSupportedNew": True,
    "guestToolsNeedUpgrade": False,
    "guestToolsTooOld": False,
    "guestToolsTooNew": False,
    "guestToolsBlacklisted": False,
}


def pool_entity(
    about: "vim.AboutInfo", hosts: Iterable[HostRecord], cluster: ClusterName | None, address: str
) -> Pool:
    """Return the entity of a vCenter, one of its clusters, or a lone host.

    Hosts that are not connected just now do not count.

    :param address: the host in the request
    """
    hosts = list(hosts)
    live = [host for host in hosts if host.connection_state == _CONNECTED]
    total = sum(host.memory_bytes for host in live) // MIB
    used = sum(host.used_memory_mib for host in live)
    lone = hosts[0].hardware_uuid if len(hosts) == 1 else None
    pool_id = cluster.id if cluster is not None else about.instanceUuid or lone or address
    info = {
        "version": about.version,
        "build": about.build,
        "api_version": about.apiVersion,
        "product": about.name,
    }
    return Pool(
        id=pool_id,
        uuid=pool_id,
        master=address,
        used_memory=min(used, total),
        total_memory=total,
        software_info={name: value for name, value in info.items() if value},
    )


def host_entity(record: HostRecord, address: str | None) -> Host:
    """Return the entity of a host.

    :param address: None for a vCenter's hosts, whose name is the address that vCenter uses
    """
    return Host(id=record.id, name=record.name, address=address or record.name)


def guest_entity(vm: VmSummary, host: str | None) -> Guest:
    """Return the entity of a VM. Without its configuration, most fields are null.

    :param host: name of the host that has it
    """
    return Guest(
        id=vm.id,
        name=vm.name,
        cpus=vm.cpus or None,
        memory=vm.memory_mib or None,
        hdd=None if vm.devices is None else _hdd(vm.devices),
        paravirtualized=(
            None if vm.devices is None else any(device.type_name == PARAVIRTUAL_SCSI for device in vm.devices)
        ),
        tools_up_to_date=_TOOLS.get(vm.tools_status or ""),
        ip=vm.ip or None,
        state=vm.state,
        host=host if vm.state == GuestState.STARTED else None,
    )


def _hdd(devices: Iterable[ListedDevice]) -> float | None:
    """Return the sum of the disks in GiB; None if the size of one is unknown."""
    total = 0
    for device in devices:
        if device.type_name == DISK:
            if device.size_bytes is None:
                return None
            total += device.size_bytes
    return gib(total)


def disk_entity(disk: Device, buses: Mapping[int, int]) -> Disk:
    """Return the entity of a disk. Its ID is the device key, which stays the same.

    :param buses: bus numbers by the keys of controllers
    """
    bus = buses.get(disk.controller_key or 0, 0)
    return Disk(
        id=str(disk.key),
        name=disk.description.label or f"disk {disk.key}",
        number=f"{bus}:{disk.unit_number or 0}",
        size=None if disk.size_bytes is None else gib(disk.size_bytes),
        extra_info=None if disk.backing.file_name is None else decoded(disk.backing.file_name),
    )


def storage_entity(record: DatastoreRecord) -> Storage:
    """Return the entity of a datastore. The sizes of one that is not accessible are unknown."""
    capacity, free = record.capacity_bytes, record.free_bytes
    if not record.is_accessible or capacity is None or free is None:
        return Storage(
            id=record.id,
            name=record.name,
            type=record.kind or "unknown",
            used_space=None,
            allocated_space=None,
            size=None,
        )
    used = max(0, capacity - free)
    return Storage(
        id=record.id,
        name=record.name,
        type=record.kind or "unknown",
        used_space=gib(used),
        allocated_space=gib(used + record.uncommitted_bytes),
        size=gib(capacity),
    )


def network_entity(record: NetworkRecord) -> Network:
    """Return the entity of a network."""
    if not isinstance(record, PortGroupRecord):
        return Network(id=record.id, name_label=record.name)
    vlan = record.port_config.vlan
    other = {
        "switch": "" if record.switch is None else record.switch.value,
        "vlan": "" if vlan is None or vlan.vlan is None else str(vlan.vlan),
    }
    return Network(
        id=record.id,
        name_label=record.name,
        name_description=record.description,
        other_config={name: value for name, value in other.items() if value},
    )


def interface_entity(card: Device, networks: Iterable[NetworkRecord], *, is_on: bool) -> NetworkInterface:
    """Return the entity of a network interface.

    :param networks: the networks that the guest is connected to
    :param is_on: whether the guest is on: otherwise, the interface is connected when it starts
    """
    connectable = card.connectable
    limit = card.allocation.limit if card.allocation is not None else None
    mac = (card.mac or "").lower()
    return NetworkInterface(
        id=mac,
        number=str(card.key - FIRST_INTERFACE_KEY) if card.key >= FIRST_INTERFACE_KEY else str(card.key),
        mac=mac,
        network=_network_name(card, networks),
        ratelimit=limit * BITS_IN_MBIT if limit is not None and limit > 0 else None,
        active=connectable is not None and (connectable.connected if is_on else connectable.start_connected),
    )


def _network_name(card: Device, networks: Iterable[NetworkRecord]) -> str | None:
    backing = card.backing
    for network in networks:
        if backing.network is not None and network.ref == backing.network:
            return network.name
        if isinstance(network, PortGroupRecord):
            if backing.port is not None and network.key == backing.port.portgroup_key:
                return network.name
        elif isinstance(network, OpaqueNetworkRecord) and network.opaque.id == backing.opaque_id:
            return network.name
    return None if backing.device_name is None else decoded(backing.device_name)


def media_entity(drive: Device | None) -> Media:
    """Return what is in a CD drive: the path of an ISO image, ``[datastore] path``."""
    if drive is None or drive.backing.type_name != ISO_BACKING or drive.connectable is None:
        return Media(name=None)
    is_in = drive.connectable.connected or drive.connectable.start_connected
    name = drive.backing.file_name
    return Media(name=shown_path(name) if is_in and name else None)


def snapshot_entities(roots: Iterable[SnapshotTree]) -> dict[str, Snapshot]:
    """Return the entities of a guest's snapshots, by managed object ID, oldest first."""
    found = [
        (_moment(tree.create_time), tree.snapshot.value, _snapshot_entity(tree, path))
        for tree, path in walk_snapshots(roots)
    ]
    # Those of the same second keep the order of the tree.
    found.sort(key=lambda each: each[0] or dt.datetime.min.replace(tzinfo=dt.UTC))
    return {moid: entity for _, moid, entity in found}


def walk_snapshots(roots: Iterable[SnapshotTree]) -> Iterator[tuple[SnapshotTree, str]]:
    """Yield all snapshots of trees of any depth, each with its path."""
    left = [(tree, "") for tree in reversed(list(roots))]
    while left:
        tree, above = left.pop()
        path = f"{above}/{decoded(tree.name)}" if above else decoded(tree.name)
        yield tree, path
        left += [(child, path) for child in reversed(tree.children)]


def _snapshot_entity(tree: SnapshotTree, path: str) -> Snapshot:
    moment = _moment(tree.create_time)
    # A snapshot without memory says poweredOff, also of a guest that ran: then nobody knows.
    state = None if tree.state == "poweredOff" else STATES.get(tree.state)
    return Snapshot(
        id=tree.snapshot.value,
        name=decoded(tree.name),
        state=None if state is None else str(state),
        path=path,
        created=None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}",
    )


def _moment(text: str) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(text).astimezone(dt.UTC)
    except ValueError:
        return None
