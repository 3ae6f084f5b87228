"""Convert libvirt's records to entities. Pure functions."""

import datetime as dt
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from simplestack import Disk, Guest, GuestState, Network, NetworkInterface, Snapshot, Storage, gib
from simplestack_kvm.libvirtd.guests.records import KIB_PER_MIB, DiskRecord, DomainRecord
from simplestack_kvm.libvirtd.guests.snapshot_records import SnapshotRecord, ancestry
from simplestack_kvm.libvirtd.networks.interface_records import BITS_IN_KIB, InterfaceRecord
from simplestack_kvm.libvirtd.networks.locking import ipv4_allowed, locking_mode
from simplestack_kvm.libvirtd.networks.vlans import bridge_of, kept_fields, virtual_port, vlan_tags
from simplestack_kvm.libvirtd.storage.storages import StoragePoolRecord

#: What ``other_config`` of a network tells of it. A client gives none of these.
NETWORK_FACTS = ("forward_mode", "forward_device", "domain", "addresses", "virtualport", "vlan")
#: The states that a snapshot may have, in libvirt's words. Others tell nothing of the guest's.
_SNAPSHOT_STATES = {
    "running": GuestState.STARTED,
    "blocked": GuestState.STARTED,
    "paused": GuestState.PAUSED,
    "pmsuspended": GuestState.PAUSED,
    "shutdown": GuestState.STOPPED,
    "shutoff": GuestState.STOPPED,
    "crashed": GuestState.STOPPED,
}


def guest_entity(
    record: DomainRecord, state: GuestState, host: str, disk_bytes: Iterable[int | None], ip: str | None
) -> Guest:
    """Return the entity of a domain, from its description.

    :param disk_bytes: sizes of its disks; None for unknown sizes
    """
    return Guest(
        id=record.uuid,
        name=record.name,
        cpus=record.cpus,
        memory=record.memory_mib,
        hdd=_sum_gib(disk_bytes),
        paravirtualized=is_paravirtualized(disk.target for disk in record.disks),
        ip=ip,
        state=state,
        host=_running_host(state, host),
    )


def guest_entity_of_stats(
    stats: Mapping[str, Any],
    disks: Iterable[DiskRecord] | None,
    disk_bytes: Iterable[int | None],
    *,
    uuid: str,
    name: str,
    state: GuestState,
    host: str,
) -> Guest:
    """Return the entity of a stopped domain, from bulk statistics.

    :param stats: VCPU and BALLOON statistics; missing values are unknown
    :param disks: its disks; None if they are unknown
    :param disk_bytes: their sizes; None for unknown sizes
    """
    cpus, memory_kib = stats.get("vcpu.current"), stats.get("balloon.current")
    return Guest(
        id=uuid.lower(),
        name=name,
        cpus=None if cpus is None else int(cpus),
        memory=None if memory_kib is None else int(memory_kib) // KIB_PER_MIB,
        hdd=None if disks is None else _sum_gib(disk_bytes),
        paravirtualized=None if disks is None else is_paravirtualized(disk.target for disk in disks),
        state=state,
        host=_running_host(state, host),
    )


def is_paravirtualized(targets: Iterable[str]) -> bool | None:
    """Return whether the first disk is a virtio disk (``vda``); None without disks."""
    first = next(iter(targets), None)
    return None if first is None else first.startswith(("vd", "xvd"))


def _sum_gib(disk_bytes: Iterable[int | None]) -> float | None:
    """Return the sum of sizes; None if one is unknown."""
    total = 0
    for size in disk_bytes:
        if size is None:
            return None
        total += size
    return gib(total)


def _running_host(state: GuestState, host: str) -> str | None:
    """Return the host that runs a guest; None for a stopped guest."""
    return None if state == GuestState.STOPPED else host


def disk_entity(disk: DiskRecord, position: int, size_bytes: int | None) -> Disk:
    """Return the entity of a disk; None as size means unknown."""
    return Disk(
        id=disk.target,
        name=disk.name,
        number=str(position),
        size=None if size_bytes is None else gib(size_bytes),
        extra_info=disk.source,
    )


def interface_entity(interface: InterfaceRecord) -> NetworkInterface:
    """Return the entity of a network interface."""
    return NetworkInterface(
        id=interface.mac,
        number=str(interface.position),
        mac=interface.mac,
        network=interface.network,
        locking_mode=locking_mode(interface),
        ipv4_allowed=ipv4_allowed(interface),
        ratelimit=None if interface.rate_kib is None else interface.rate_kib * BITS_IN_KIB,
        active=interface.is_up,
    )


def snapshot_entity(snapshot: SnapshotRecord, records: Sequence[SnapshotRecord]) -> Snapshot:
    """Return the entity of a snapshot.

    :param records: all snapshots of its guest
    """
    state = _SNAPSHOT_STATES.get(snapshot.state)
    created = dt.datetime.fromtimestamp(snapshot.created_seconds, dt.UTC)
    return Snapshot(
        id=snapshot.id,
        name=snapshot.name,
        state=None if state is None else str(state),
        path="/".join(record.name for record in ancestry(snapshot, records)),
        created=f"{created:%Y-%m-%dT%H:%M:%SZ}",
    )


def storage_entity(pool: StoragePoolRecord, outstanding_bytes: int | None) -> Storage:
    """Return the entity of a storage pool.

    :param outstanding_bytes: how much its sparse volumes can still grow; None if unknown
    """
    allocated_bytes = None
    if pool.used_bytes is not None and outstanding_bytes is not None:
        allocated_bytes = pool.used_bytes + outstanding_bytes
    return Storage(
        id=pool.id,
        name=pool.name,
        type=pool.type,
        used_space=_gib(pool.used_bytes),
        allocated_space=_gib(allocated_bytes),
        size=_gib(pool.size_bytes),
    )


def _gib(size_bytes: int | None) -> float | None:
    return None if size_bytes is None else gib(size_bytes)


def network_entity(document: ET.Element) -> Network:
    """Return the entity of a network, from libvirt's description.

    ``other_config`` has the settings that a client gave, and those of `NETWORK_FACTS` that the network has:
    ``forward_mode`` (libvirt's value, or ``isolated``), ``forward_device``, ``domain``, ``addresses``
    (comma-separated), ``virtualport`` (``openvswitch``) and ``vlan`` (IDs, comma-separated).
    """
    kept = kept_fields(document)
    forward = document.find("forward")
    domain = document.find("domain")
    facts = (
        "isolated" if forward is None else forward.get("mode", "nat"),
        None if forward is None else forward.get("dev"),
        None if domain is None else domain.get("name"),
        ",".join(_address(ip) for ip in document.iterfind("ip")),
        virtual_port(document),
        ",".join(vlan_tags(document)),
    )
    config = {key: value for key, value in zip(NETWORK_FACTS, facts, strict=True) if value}
    return Network(
        id=document.findtext("uuid", ""),
        name_label=document.findtext("name", ""),
        bridge=bridge_of(document),
        name_description=document.findtext("description", "")
        or kept.description
        or document.findtext("title", ""),
        other_config={**kept.settings, **config},
    )


def _address(ip: ET.Element) -> str:
    length = ip.get("prefix") or ip.get("netmask")
    address = ip.get("address", "")
    return address if length is None else f"{address}/{length}"
