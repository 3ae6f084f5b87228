"""Descriptions of domains and their devices, built as element trees: names and ids are data."""

import itertools
import string
import xml.etree.ElementTree as ET
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from simplestack import Conflict, Firmware
from simplestack_kvm.libvirtd.guests.records import DISK_NAMES

#: Free PCI Express ports of a new q35 guest, for devices that are added while it runs.
SPARE_PCIE_PORTS = 12
#: What a disk can be added to and removed from while the guest runs.
HOTPLUG_BUSES = frozenset({"virtio", "scsi", "usb"})

_PREFIXES = {"virtio": "vd", "scsi": "sd", "sata": "sd", "usb": "sd", "ide": "hd", "xen": "xvd", "fdc": "fd"}

# setMetadata adds a prefix of its own (its key) and fails where the document has the same one.
ET.register_namespace("disks", DISK_NAMES)


@dataclass(frozen=True, kw_only=True, slots=True)
class VolumeSource:
    """A volume, as a domain refers to it."""

    path: str
    #: A block device, not a file.
    block: bool
    format: str


@dataclass(frozen=True, kw_only=True, slots=True)
class HostKind:
    """What guests the host can run."""

    #: ``kvm``, or ``qemu`` without hardware virtualisation.
    domain_type: str
    arch: str
    #: None for the emulator's own default.
    machine: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A new guest: everything that its description needs."""

    uuid: str
    name: str
    memory_mib: int
    cpus: int
    paravirtualized: bool
    #: Volumes and the names that the client gave them.
    disks: Sequence[tuple[VolumeSource, str | None]]
    iso: VolumeSource | None
    networks: Sequence[str]
    firmware: Firmware = "bios"


def host_kind(capabilities: ET.Element, virtualization: str = "auto") -> HostKind:
    """Read from the host's capabilities what guests it can run, its own architecture's above all.

    :param virtualization: the setting of that name
    :raises Conflict: it cannot run what is wanted
    """
    arch_name = capabilities.findtext("host/cpu/arch", "x86_64")
    for arch in capabilities.iterfind("guest/arch"):
        if arch.get("name") != arch_name:
            continue
        types = {domain.get("type") for domain in arch.iterfind("domain")}
        if virtualization != "auto" and virtualization not in types:
            raise Conflict(
                f"the host's libvirt offers no {virtualization} guests, which the settings ask for"
            )
        # A domain type may have machines of its own; q35 is among all of them or among none.
        machines = {machine.text for machine in arch.iter("machine")}
        return HostKind(
            domain_type="kvm" if "kvm" in types and virtualization != "qemu" else "qemu",
            arch=arch_name,
            machine="q35" if "q35" in machines else None,
        )
    raise Conflict(f"the host's libvirt has no emulator for its own architecture, {arch_name}: install QEMU")


def host_kind_of(document: ET.Element) -> HostKind:
    """Return what kind of guest a description is of."""
    system = document.find("os/type")
    arch, machine = ("", "") if system is None else (system.get("arch", ""), system.get("machine", ""))
    machine_kind = "q35" if "q35" in machine else None
    return HostKind(domain_type=document.get("type", ""), arch=arch, machine=machine_kind)


def build_domain(plan: Plan, host: HostKind) -> ET.Element:
    """Describe a new guest.

    It has no display that anybody could connect to, but a serial console, and a channel for the guest agent.
    """
    domain = ET.Element("domain", type=host.domain_type)
    _text(domain, "uuid", plan.uuid)
    _text(domain, "name", plan.name)
    _text(domain, "memory", str(plan.memory_mib), unit="MiB")
    _text(domain, "vcpu", str(plan.cpus))
    system = ET.SubElement(domain, "os")
    if plan.firmware == "uefi":
        set_uefi(system, secure_boot=False)
    machine = {} if host.machine is None else {"machine": host.machine}
    _text(system, "type", "hvm", arch=host.arch, **machine)
    ET.SubElement(system, "boot", dev="hd")
    ET.SubElement(system, "boot", dev="cdrom")
    features = ET.SubElement(domain, "features")
    ET.SubElement(features, "acpi")
    if host.arch in ("x86_64", "i686"):
        ET.SubElement(features, "apic")
    if host.domain_type == "kvm":
        ET.SubElement(domain, "cpu", mode="host-model")
    ET.SubElement(domain, "clock", offset="utc")
    _devices(ET.SubElement(domain, "devices"), plan, host)
    named = {
        target: name
        for target, (_, name) in zip(_targets(_disk_bus(plan, host)), plan.disks, strict=False)
        if name is not None
    }
    if named:
        ET.SubElement(domain, "metadata").append(names_element(named))
    return domain


def set_uefi(system: ET.Element, *, secure_boot: bool) -> None:
    """Let an ``<os>`` boot by UEFI. libvirt chooses the firmware of the host.

    Left to itself it prefers one with the keys of a vendor: under these, Secure Boot is on, and only systems
    boot that the vendor has signed.
    """
    system.set("firmware", "efi")
    name, enabled = ("secure-boot", "yes") if secure_boot else ("enrolled-keys", "no")
    ET.SubElement(ET.SubElement(system, "firmware"), "feature", name=name, enabled=enabled)


def devices_of(document: ET.Element) -> ET.Element:
    """Return the ``<devices>`` of a description, which has none yet if it is bare."""
    devices = document.find("devices")
    return ET.SubElement(document, "devices") if devices is None else devices


def disk_element(source: VolumeSource, target: str, bus: str) -> ET.Element:
    """Describe a disk."""
    disk = ET.Element("disk", device="disk")
    ET.SubElement(disk, "driver", name="qemu", discard="unmap")
    put_source(disk, source)
    ET.SubElement(disk, "target", dev=target, bus=bus)
    return disk


def cdrom_element(medium: VolumeSource | None, target: str, bus: str) -> ET.Element:
    """Describe a CD drive; None as its medium means empty."""
    drive = ET.Element("disk", type="file", device="cdrom")
    ET.SubElement(drive, "driver", name="qemu", type="raw")
    if medium is not None:
        put_source(drive, medium)
    ET.SubElement(drive, "target", dev=target, bus=bus)
    ET.SubElement(drive, "readonly")
    return drive


def remove_source(disk: ET.Element) -> None:
    """Remove the source of a ``<disk>``, and what libvirt has found in it."""
    for name in ("source", "backingStore", "mirror"):
        for element in disk.findall(name):
            disk.remove(element)


def put_source(disk: ET.Element, source: VolumeSource) -> None:
    """Give a ``<disk>`` a volume instead of its source, in the volume's format."""
    remove_source(disk)
    disk.set("type", "block" if source.block else "file")
    driver = disk.find("driver")
    if driver is None:
        driver = ET.SubElement(disk, "driver", name="qemu")
    driver.set("type", source.format)
    ET.SubElement(disk, "source", {"dev" if source.block else "file": source.path})


def names_element(names: dict[str, str]) -> ET.Element:
    """Describe the names that clients gave to disks, by target: our part of the metadata."""
    disks = ET.Element(f"{{{DISK_NAMES}}}disks")
    for target, name in names.items():
        ET.SubElement(disks, f"{{{DISK_NAMES}}}disk", target=target, name=name)
    return disks


def free_target(bus: str, taken: Collection[str]) -> str:
    """Return the first device name of a bus that is not taken.

    :raises Conflict: all are
    """
    for target in _targets(bus):
        if target not in taken:
            return target
    raise Conflict(f"the guest has no free device on its {bus} bus: delete a disk first")


def taken_targets(*domains: ET.Element) -> set[str]:
    """Return the device names in use in descriptions of the same domain, running and defined."""
    return {target.get("dev", "") for domain in domains for target in domain.iterfind("devices/disk/target")}


def _targets(bus: str) -> Iterator[str]:
    """Yield ``vda``, ..., ``vdz``, ``vdaa``, ..., ``vdzz``; two drives on an IDE channel, two channels."""
    prefix = _PREFIXES.get(bus, "vd")
    if bus == "ide":
        yield from (f"{prefix}{letter}" for letter in "abcd")
        return
    for length in (1, 2):
        for letters in itertools.product(string.ascii_lowercase, repeat=length):
            yield prefix + "".join(letters)


def _disk_bus(plan: Plan, host: HostKind) -> str:
    return "virtio" if plan.paravirtualized else plain_bus(host)


def plain_bus(host: HostKind) -> str:
    """Return the bus of drives that need no drivers: q35 has no IDE, other machines need not have SATA."""
    if host.arch not in ("x86_64", "i686"):
        return "scsi"
    return "sata" if host.machine == "q35" else "ide"


def _devices(devices: ET.Element, plan: Plan, host: HostKind) -> None:
    bus = _disk_bus(plan, host)
    taken: set[str] = set()
    for source, _name in plan.disks:
        target = free_target(bus, taken)
        taken.add(target)
        devices.append(disk_element(source, target, bus))
    # Empty, too: a drive cannot be added while the guest runs.
    devices.append(cdrom_element(plan.iso, free_target(plain_bus(host), taken), plain_bus(host)))
    for network in plan.networks:
        interface = ET.SubElement(devices, "interface", type="network")
        ET.SubElement(interface, "source", network=network)
        ET.SubElement(interface, "model", type=_interface_model(plan, host))
    ET.SubElement(devices, "serial", type="pty")
    ET.SubElement(devices, "console", type="pty")
    channel = ET.SubElement(devices, "channel", type="unix")
    ET.SubElement(channel, "target", type="virtio", name="org.qemu.guest_agent.0")
    random = ET.SubElement(devices, "rng", model="virtio")
    _text(random, "backend", "/dev/urandom", model="random")
    ET.SubElement(devices, "memballoon", model="virtio")
    if host.arch in ("x86_64", "i686"):
        # Nobody can look at it, but systems that insist on a screen start.
        ET.SubElement(ET.SubElement(devices, "video"), "model", type="vga")
    if host.machine == "q35":
        count = SPARE_PCIE_PORTS + len(plan.disks) + len(plan.networks)
        ET.SubElement(devices, "controller", type="pci", index="0", model="pcie-root")
        for index in range(1, count + 1):
            ET.SubElement(devices, "controller", type="pci", index=str(index), model="pcie-root-port")


def _interface_model(plan: Plan, host: HostKind) -> str:
    if plan.paravirtualized:
        return "virtio"
    return "e1000e" if host.machine == "q35" else "e1000"


def _text(parent: ET.Element, tag: str, text: str, **attributes: str) -> None:
    ET.SubElement(parent, tag, attributes).text = text
