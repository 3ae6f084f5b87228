"""Describe the guest of an appliance: what every new guest has, and what its descriptor tells."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from simplestack import NetworkInterfaceUpdate
from simplestack.appliances import Appliance, ApplianceDisk, ApplianceInterface
from simplestack_kvm.libvirtd.guests.domain_xml import (
    HostKind,
    Plan,
    VolumeSource,
    build_domain,
    disk_element,
    free_target,
    names_element,
    plain_bus,
    set_uefi,
    taken_targets,
)
from simplestack_kvm.libvirtd.guests.tags import TAGS
from simplestack_kvm.libvirtd.networks.interface_records import bandwidth_element, interface_record
from simplestack_kvm.libvirtd.networks.locking import filter_reference

#: QEMU's models by the words of descriptors. Others get the one that the guest's other devices suggest.
_MODELS = {
    name: name for name in ("virtio", "e1000", "e1000e", "vmxnet3", "rtl8139", "pcnet", "ne2k_pci", "igb")
} | {"pcnet32": "pcnet", "virtio-net": "virtio", "virtio-net-pci": "virtio"}
_VIRTIO_SCSI = "virtio-scsi"


@dataclass(frozen=True, kw_only=True, slots=True)
class Port:
    """An interface of an appliance, on a network of this host."""

    interface: ApplianceInterface
    network: str
    mac: str


def describe_appliance(
    appliance: Appliance,
    guest_id: str,
    host: HostKind,
    sources: Sequence[VolumeSource],
    ports: Sequence[Port],
) -> ET.Element:
    """Return the description of a new guest.

    :param host: what guests the host can run
    :param sources: the volumes of the appliance's disks
    """
    kind = _kind(appliance, host)
    paravirtualized = appliance.paravirtualized is not False
    plan = Plan(
        uuid=guest_id,
        name=appliance.name,
        memory_mib=appliance.memory_mib or 0,
        cpus=appliance.cpus or 1,
        paravirtualized=paravirtualized,
        disks=[(source, None) for source in sources],
        iso=None,
        networks=[port.network for port in ports],
    )
    document = build_domain(plan, kind)
    if appliance.description:
        description = ET.Element("description")
        description.text = appliance.description
        document.insert(0, description)
    _set_system(document, appliance)
    _set_disks(document, appliance, sources, kind)
    for element, port in zip(document.iterfind("devices/interface"), ports, strict=True):
        _set_interface(element, port)
    for tag in appliance.tags:
        ET.SubElement(_child(document, "metadata"), f"{{{TAGS}{quote(tag, safe='')}}}tag")
    return document


def _kind(appliance: Appliance, host: HostKind) -> HostKind:
    """Return the kind of the guest: q35, or the machine that the appliance names."""
    if appliance.machine is None or "q35" in appliance.machine:
        return host
    return replace(host, machine=appliance.machine)


def _set_system(document: ET.Element, appliance: Appliance) -> None:
    system = _child(document, "os")
    if appliance.machine is not None:
        _child(system, "type").set("machine", appliance.machine)
    if appliance.firmware == "efi":
        set_uefi(system, secure_boot=appliance.secure_boot)


def _set_disks(
    document: ET.Element, appliance: Appliance, sources: Sequence[VolumeSource], kind: HostKind
) -> None:
    """Attach each disk to the bus that it had, where QEMU has it. Their names go by their targets."""
    devices = _child(document, "devices")
    for element in devices.findall("disk[@device='disk']"):
        devices.remove(element)
    names: dict[str, str] = {}
    controllers: list[str] = []
    for position, (disk, source) in enumerate(zip(appliance.disks, sources, strict=True)):
        bus, controller = _bus(disk, kind, is_own=appliance.machine is not None)
        target = free_target(bus, taken_targets(document))
        devices.insert(position, disk_element(source, target, bus))
        if disk.name is not None:
            names[target] = disk.name
        if controller is not None:
            controllers.append(controller)
    if controllers:
        ET.SubElement(devices, "controller", type="scsi", index="0", model=controllers[0])
    if names:
        _child(document, "metadata").append(names_element(names))


def _bus(disk: ApplianceDisk, kind: HostKind, *, is_own: bool) -> tuple[str, str | None]:
    """Return the bus of a disk and the model of its SCSI controller, if that is not the default.

    QEMU's SCSI controllers are others than those of VMware and VirtualBox, for which guests have drivers.
    So their disks get the bus that needs none.
    """
    if disk.bus in ("virtio", "usb"):
        return disk.bus, None
    if disk.bus == "scsi" and (is_own or disk.controller == _VIRTIO_SCSI):
        return "scsi", disk.controller
    if disk.bus == "ide" and kind.machine != "q35":
        return "ide", None
    return plain_bus(kind), None


def _set_interface(element: ET.Element, port: Port) -> None:
    interface = port.interface
    element.insert(0, ET.Element("mac", address=port.mac))
    model = element.find("model")
    if model is not None and interface.model in _MODELS:
        model.set("type", _MODELS[interface.model])
    if not interface.active:
        ET.SubElement(element, "link", state="down")
    bandwidth = bandwidth_element(interface.ratelimit or 0)
    if bandwidth is not None:
        element.append(bandwidth)
    if interface.locking_mode is not None:
        locks = NetworkInterfaceUpdate(
            locking_mode=interface.locking_mode, ipv4_allowed=list(interface.ipv4_allowed)
        )
        reference = filter_reference(interface_record(element, 0), locks)
        if reference is not None:
            element.append(reference)


def _child(parent: ET.Element, tag: str) -> ET.Element:
    found = parent.find(tag)
    return ET.SubElement(parent, tag) if found is None else found
