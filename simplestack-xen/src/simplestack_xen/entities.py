"""Convert XAPI's records to entities. Pure functions."""

import ipaddress
from collections.abc import Iterable, Mapping

from msgspec import field

from simplestack import MIB, Disk, Guest, Host, Network, NetworkInterface, Pool, Snapshot, Storage, gib
from simplestack_xen.xapi.records import (
    STATES,
    GuestMetricsRecord,
    HostMetricsRecord,
    HostRecord,
    NetworkRecord,
    PoolRecord,
    SrRecord,
    VbdRecord,
    VdiRecord,
    VifRecord,
    VmRecord,
    VmSummary,
    as_time,
)

#: Key in the ``other_config`` of an inactive interface, with its locking mode when it is active.
LOCKING_MODE_KEY = "simplestack:locking_mode"
#: XAPI's ``kbps`` are KiB/s (xenopsd's ``ratelimit``), the contract's rates are bit/s.
BITS_IN_KIB = 8 * 1024


class XenNetworkInterface(NetworkInterface, frozen=True, kw_only=True):
    """A guest's network interface, with the field ``rate_limit`` for first-generation clients."""

    #: XAPI's rate limit in KiB/s: ``{"kbps": "1280"}``; empty without a limit.
    rate_limit: dict[str, str] = field(default_factory=dict)


def pool_entity(
    pool: PoolRecord, hosts: Mapping[str, HostRecord], metrics: Mapping[str, HostMetricsRecord], name: str
) -> Pool:
    """Return the entity of a pool.

    Memory in use is what the hosts do not call free: that of guests that run, and of the hosts themselves.
    Hosts that are not there just now do not count.

    :param hosts: by reference, like the metrics
    :param name: name of the master to use if its address is unknown
    """
    own = [metrics[host.metrics] for host in hosts.values() if host.metrics in metrics]
    live = [metrics for metrics in own if metrics.live]
    total = sum(max(0, metrics.memory_total) for metrics in live)
    free = sum(max(0, metrics.memory_free) for metrics in live)
    master = hosts.get(pool.master, HostRecord())
    versions = master.software_version
    info = {
        "version": versions.get("product_version") or versions.get("platform_version") or "unknown",
        "brand": versions.get("product_brand", ""),
        "xapi": versions.get("xapi", ""),
        "xen": versions.get("xen", ""),
    }
    return Pool(
        id=pool.uuid,
        uuid=pool.uuid,
        master=master.address or name,
        used_memory=max(0, total - free) // MIB,
        total_memory=total // MIB,
        software_info={name: value for name, value in info.items() if value},
    )


def host_entity(record: HostRecord) -> Host:
    """Return the entity of a host."""
    return Host(id=record.uuid, name=record.name_label or record.uuid, address=record.address)


def guest_entity(
    vm: VmSummary, hdd_bytes: int | None, tools: GuestMetricsRecord | None, host: str | None
) -> Guest:
    """Return the entity of a VM.

    :param hdd_bytes: sum of its disks; None if XAPI does not know the size of a disk
    :param tools: current data from the guest's tools, if any
    :param host: name of the host that runs it
    """
    return Guest(
        id=vm.uuid,
        name=vm.name_label,
        cpus=vm.VCPUs_at_startup or None,
        memory=vm.memory_static_max // MIB or None,
        hdd=None if hdd_bytes is None else gib(hdd_bytes),
        paravirtualized=vm.is_paravirtualized,
        tools_up_to_date=None if tools is None else tools.PV_drivers_up_to_date,
        ip=None if tools is None else first_address(tools.networks),
        state=vm.state,
        host=host,
    )


def first_address(networks: Mapping[str, str]) -> str | None:
    """Return the address at which others most likely reach a guest; None if there is none.

    Addresses that are valid only on their link (169.254.0.0/16, fe80::/10) come last, whichever interface has
    them. Of the rest, IPv4 comes first, then the order of interfaces counts.
    """
    orders = {key: _address_order(key, address) for key, address in networks.items()}
    known = {key: order for key, order in orders.items() if order is not None}
    return networks[min(known, key=lambda key: known[key])] if known else None


def _address_order(key: str, text: str) -> tuple[bool, int, tuple[int, int, int]] | None:
    place = _address_place(key)
    try:
        address = ipaddress.ip_address(text)
    except ValueError:  # an empty one, for example
        return None
    return None if place is None else (address.is_link_local, address.version, place)


def _address_place(key: str) -> tuple[int, int, int] | None:
    """Return the place of an address in the guest metrics: device, kind and number."""
    match key.split("/"):
        case [device, "ip"] if device.isdecimal():
            return int(device), 0, 0
        case [device, "ipv4", number] if device.isdecimal() and number.isdecimal():
            return int(device), 1, int(number)
        case [device, "ipv6", number] if device.isdecimal() and number.isdecimal():
            return int(device), 2, int(number)
        case _:
            return None


def disk_entity(drive: VbdRecord, image: VdiRecord) -> Disk:
    """Return the entity of a drive with a disk. Its ID is the device number."""
    return Disk(
        id=drive.userdevice,
        name=image.name_label or f"disk {drive.userdevice}",
        number=drive.userdevice,
        size=None if image.known_bytes is None else gib(image.known_bytes),
        extra_info=image.uuid,
    )


def storage_entity(record: SrRecord) -> Storage:
    """Return the entity of a storage repository."""
    size = _known_gib(record.physical_size)
    used = _known_gib(record.physical_utilisation)
    return Storage(
        id=record.uuid,
        name=record.name_label or record.uuid,
        type=record.type or "unknown",
        used_space=used,
        allocated_space=_known_gib(record.virtual_allocation),
        size=size if size is None or used is None else max(size, used),
    )


def _known_gib(size_bytes: int) -> float | None:
    """Return a size in GiB; None for a negative size, which means unknown in XAPI."""
    return None if size_bytes < 0 else gib(size_bytes)


def network_entity(record: NetworkRecord) -> Network:
    """Return the entity of a network."""
    return Network(
        id=record.uuid,
        name_label=record.name_label or record.uuid,
        bridge=record.bridge or None,
        name_description=record.name_description,
        other_config=record.other_config,
    )


def interface_entity(record: VifRecord, network: str | None, *, is_off: bool) -> XenNetworkInterface:
    """Return the entity of a network interface.

    :param network: name of the network
    :param is_off: whether the guest is stopped: then the interface is plugged in when the guest starts
    """
    kbps = record.qos_algorithm_params.get("kbps", "")
    is_limited = record.qos_algorithm_type == "ratelimit" and kbps.isdecimal() and int(kbps) > 0
    return XenNetworkInterface(
        id=record.MAC,
        number=record.device,
        mac=record.MAC,
        network=network,
        locking_mode=record.other_config.get(LOCKING_MODE_KEY, record.locking_mode),
        ipv4_allowed=record.ipv4_allowed,
        ipv6_allowed=record.ipv6_allowed,
        ratelimit=int(kbps) * BITS_IN_KIB if is_limited else None,
        active=LOCKING_MODE_KEY not in record.other_config and (is_off or record.currently_attached),
        rate_limit=record.qos_algorithm_params if is_limited else {},
    )


def snapshot_entities(vm: VmRecord, snapshots: Mapping[str, VmRecord]) -> dict[str, Snapshot]:
    """Return the entities of a guest's snapshots, by reference, oldest first.

    :param snapshots: the guest's snapshots, by reference
    """
    own = {ref: snapshots[ref] for ref in vm.snapshots if ref in snapshots}
    oldest_first = sorted(own, key=lambda ref: own[ref].snapshot_time)
    return {
        ref: Snapshot(
            id=own[ref].uuid,
            name=own[ref].name_label,
            state=_state_then(own[ref]),
            path="/".join(_names_above(ref, own)),
            created=_rfc3339(own[ref].snapshot_time),
        )
        for ref in oldest_first
    }


def _state_then(snapshot: VmRecord) -> str | None:
    """Return the guest's state when the snapshot was taken, which is not the state of the snapshot's VM."""
    then = STATES.get(snapshot.snapshot_info.get("power-state-at-snapshot", ""))
    return None if then is None else str(then)


def _names_above(ref: str, snapshots: Mapping[str, VmRecord]) -> Iterable[str]:
    names: list[str] = []
    seen: set[str] = set()
    while ref in snapshots and ref not in seen:
        seen.add(ref)
        names.insert(0, snapshots[ref].name_label)
        ref = snapshots[ref].parent
    return names


def _rfc3339(text: str) -> str | None:
    time = as_time(text)
    return None if time is None else f"{time:%Y-%m-%dT%H:%M:%SZ}"
