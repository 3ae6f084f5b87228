"""What libvirt says of domains, as records: pure functions."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from simplestack import GuestState

#: Domain states (virDomainState) that are not STOPPED.
_STATES = {
    1: GuestState.STARTED,  # running
    2: GuestState.STARTED,  # blocked on a resource
    3: GuestState.PAUSED,
    4: GuestState.STARTED,  # being shut down
    7: GuestState.PAUSED,  # suspended by its own power management
}
#: libvirt writes memory in KiB, in XML and in statistics.
KIB_PER_MIB = 1024
#: A path, or the names of a pool and of a volume in it.
Source = str | tuple[str, str]
#: Our part of a domain's metadata: the names of disks.
DISK_NAMES = "urn:simplestack:kvm:disks"


@dataclass(frozen=True, kw_only=True, slots=True)
class DiskRecord:
    """A ``<disk>`` that is a disk: no CD drive and no floppy."""

    #: ``vda``: unique in its domain.
    target: str
    bus: str
    #: The file or block device, where it is one.
    path: str | None
    #: Pool and volume, where the domain names those instead of a path.
    volume: tuple[str, str] | None
    #: The above for people, or a network disk's protocol and name.
    source: str | None
    name: str
    #: Whether the guest has it to itself, and keeps what it writes to it.
    own: bool
    #: libvirt's word, such as ``qcow2``.
    format: str = "raw"


@dataclass(frozen=True, kw_only=True, slots=True)
class DomainRecord:
    """A domain's description, read."""

    uuid: str
    name: str
    cpus: int | None
    memory_mib: int | None
    disks: tuple[DiskRecord, ...]
    #: MAC address (lower-case) and name of the libvirt network, if it is one's, in the order of the devices.
    interfaces: tuple[tuple[str, str | None], ...]
    agent_connected: bool
    #: Target and source of each drive, CD drives and floppies included: a path, the names of a pool and a
    #: volume in it, or None for an empty drive or one on the network.
    drives: tuple[tuple[str, Source | None], ...] = ()


class StatsDrive(NamedTuple):
    """A drive in libvirt's statistics of a domain that is off."""

    target: str
    path: str | None
    #: None where there is no medium or no file.
    capacity_bytes: int | None


def state_of_code(code: int, *, saved: bool = False) -> GuestState:
    """Return the state of a virDomainState number, one that libvirt may yet invent included.

    :param saved: whether there is a saved memory image, which the next start resumes from
    """
    state = _STATES.get(code, GuestState.STOPPED)
    return GuestState.PAUSED if saved and state == GuestState.STOPPED else state


def domain_record(domain: ET.Element) -> DomainRecord:
    """Read a ``<domain>``, of whoever's making."""
    vcpu = domain.find("vcpu")
    cpus = None if vcpu is None else int(vcpu.get("current") or vcpu.text or 1)
    memory = domain.find("currentMemory")
    if memory is None:
        memory = domain.find("memory")
    return DomainRecord(
        uuid=domain.findtext("uuid", "").strip().lower(),
        name=domain.findtext("name", ""),
        cpus=cpus,
        memory_mib=None if memory is None else int(memory.text or 0) // KIB_PER_MIB,
        disks=disk_records(domain),
        interfaces=tuple(_interface(interface) for interface in domain.iterfind("devices/interface")),
        drives=tuple(_drive(drive) for drive in domain.iterfind("devices/disk")),
        agent_connected=any(
            target.get("name") == "org.qemu.guest_agent.0" and target.get("state") == "connected"
            for target in domain.iterfind("devices/channel/target")
        ),
    )


def disk_format(disk: ET.Element) -> str:
    """Return the format that a ``<disk>`` has for its domain, in libvirt's word: ``raw`` by default."""
    driver = disk.find("driver")
    return "raw" if driver is None else driver.get("type", "raw")


def place_of(source: ET.Element | None) -> Source | None:
    """Return the file or block device of a ``<source>``, by its path or by the names of a pool and a volume.

    None of one in the network, of a folder, and where there is no source.
    """
    if source is None:
        return None
    pool, volume = source.get("pool"), source.get("volume")
    if pool is not None and volume is not None:
        return pool, volume
    return source.get("file") or source.get("dev")


def disk_elements(domain: ET.Element) -> list[ET.Element]:
    """Return the ``<disk>`` elements that are disks, in the order of the devices."""
    return [disk for disk in domain.iterfind("devices/disk") if disk.get("device", "disk") in ("disk", "lun")]


def disk_records(domain: ET.Element) -> tuple[DiskRecord, ...]:
    """Read a domain's disks, in the order of the devices."""
    names = disk_names(domain)
    return tuple(_disk(disk, names) for disk in disk_elements(domain))


def disk_names(domain: ET.Element) -> dict[str, str]:
    """Return the names that clients gave to disks, by target."""
    disks = domain.iterfind(f"metadata/{{{DISK_NAMES}}}disks/{{{DISK_NAMES}}}disk")
    return {disk.get("target", ""): disk.get("name", "") for disk in disks}


def stats_drives(stats: Mapping[str, Any]) -> list[StatsDrive]:
    """Read the drives in BLOCK statistics, in the order of the devices."""
    return [
        StatsDrive(
            target=str(stats.get(f"block.{number}.name", "")),
            path=stats.get(f"block.{number}.path"),
            capacity_bytes=stats.get(f"block.{number}.capacity"),
        )
        for number in range(int(stats.get("block.count", 0)))
    ]


def _disk(disk: ET.Element, names: Mapping[str, str]) -> DiskRecord:
    target = disk.find("target")
    device = "" if target is None else target.get("dev", "")
    bus = "" if target is None else target.get("bus", "")
    source = disk.find("source")
    place = place_of(source)
    shown = "/".join(place) if isinstance(place, tuple) else place
    if place is None and source is not None and "name" in source.attrib:
        shown = f"{source.get('protocol', '')}:{source.get('name')}"
    base_name = re.split("[/:]", shown)[-1] if shown else device
    return DiskRecord(
        target=device,
        bus=bus,
        path=place if isinstance(place, str) else None,
        volume=place if isinstance(place, tuple) else None,
        source=shown,
        name=names.get(device) or base_name or device,
        own=all(disk.find(mark) is None for mark in ("readonly", "shareable", "transient")),
        format=disk_format(disk),
    )


def _drive(drive: ET.Element) -> tuple[str, Source | None]:
    target, source = drive.find("target"), drive.find("source")
    name = "" if target is None else target.get("dev", "")
    return name, place_of(source) or (None if source is None else source.get("dir"))


def _interface(interface: ET.Element) -> tuple[str, str | None]:
    mac, source = interface.find("mac"), interface.find("source")
    network = source.get("network") if source is not None and interface.get("type") == "network" else None
    return ("" if mac is None else mac.get("address", "").lower(), network)
