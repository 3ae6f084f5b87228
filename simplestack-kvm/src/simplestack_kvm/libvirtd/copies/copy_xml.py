"""Describe a copy of a domain: what it is given of its own, and what keeps a domain from being copied."""

import uuid
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence

from simplestack import Conflict
from simplestack_kvm.libvirtd.disks.cloud_init import remove_drive
from simplestack_kvm.libvirtd.guests.domain_xml import (
    VolumeSource,
    devices_of,
    disk_element,
    free_target,
    put_source,
    taken_targets,
)
from simplestack_kvm.libvirtd.guests.records import DiskRecord, disk_elements, disk_records

#: What the copy would share with the guest, or write to under it.
_SHARED = {
    "devices/hostdev": "a device of the host",
    "devices/interface[@type='hostdev']": "a device of the host",
    "devices/interface[@type='vdpa']": "a device of the host",
    "devices/input/source": "a device of the host",
    "devices/tpm/backend/device": "a device of the host",
    "devices/filesystem": "a folder of the host",
    "devices/shmem": "memory that it shares",
    "devices/memory/source/path": "memory in a file of the host",
    "devices/*[@type='file']/source[@path]": "a console that is written to a file of the host",
    "devices/*/log": "a console that is written to a file of the host",
    "devices/*[@type='dev']/source[@path]": "a console on a device of the host",
    "devices/*[@type='unix']/source[@path]": "a socket of the host",
    "devices/interface[@type='vhostuser']": "a socket of the host",
    "devices/graphics/listen[@socket]": "a socket of the host",
    "devices/*[@type='tcp']/source[@mode='bind']": "a port of the host",
    "devices/*[@type='udp']/source[@mode='bind']": "a port of the host",
    "devices/audio[@path]": "sound that is written to a file of the host",
    "{http://libvirt.org/schemas/domain/qemu/1.0}commandline": "arguments for QEMU of its own",
}


def host_parts(document: ET.Element) -> list[str]:
    """Return what a guest has of its host, in words: no copy can have it.

    :param document: the guest's definition
    """
    return list(dict.fromkeys(what for path, what in _SHARED.items() if document.find(path) is not None))


def disks_to_copy(document: ET.Element) -> list[DiskRecord]:
    """Return the disks that a copy of a guest needs its own volumes for: all but read-only ones.

    :param document: the guest's definition
    :raises NotImplementedError: the guest has something that a copy cannot have
    """
    for what in host_parts(document):
        raise NotImplementedError(f"the guest has {what}, so Simplestack cannot clone it: remove that first")
    disks = []
    for element, disk in zip(disk_elements(document), disk_records(document), strict=True):
        if element.find("readonly") is not None:
            continue
        if not disk.own:
            raise NotImplementedError(
                f"disk {disk.target} is shareable or transient, so Simplestack cannot clone the guest: "
                "detach it first"
            )
        disks.append(disk)
    return disks


def make_copy(document: ET.Element, guest_id: str, name: str, sources: Mapping[str, VolumeSource]) -> None:
    """Change a guest's definition to that of a copy. libvirt gives it MAC addresses.

    It gets no data for cloud-init: that of the guest has secrets.

    :param sources: the volumes of the copy's disks, by target
    """
    remove_drive(document)
    _set_text(document, "name", name)
    _set_text(document, "uuid", guest_id)
    for entry in document.iterfind("sysinfo/system/entry[@name='uuid']"):
        entry.text = guest_id
    for generation in document.iterfind("genid"):
        generation.text = str(uuid.uuid4())
    for element, disk in zip(disk_elements(document), disk_records(document), strict=True):
        if disk.target in sources:
            put_source(element, sources[disk.target])
    for interface in document.iterfind("devices/interface"):
        # The device's name on the host, and its identity in Open vSwitch, are one guest's alone, too.
        for tag in ("mac", "target"):
            for part in interface.findall(tag):
                interface.remove(part)
        for parameters in interface.iterfind("virtualport/parameters"):
            for identity in ("interfaceid", "instanceid"):
                parameters.attrib.pop(identity, None)
    _free_numbers(document)


def add_disk(document: ET.Element, source: VolumeSource) -> str:
    """Add a disk to a definition, on the bus of the first one; return its target."""
    existing = disk_records(document)
    bus = existing[0].bus if existing and existing[0].bus else "virtio"
    target = free_target(bus, taken_targets(document))
    devices_of(document).append(disk_element(source, target, bus))
    return target


def replace_interfaces(document: ET.Element, networks: Sequence[str]) -> None:
    """Give a definition interfaces on these networks alone, of the model of the first one that it has."""
    devices = devices_of(document)
    interfaces = devices.findall("interface")
    model = interfaces[0].find("model") if interfaces else None
    for interface in interfaces:
        devices.remove(interface)
    for network in networks:
        interface = ET.SubElement(devices, "interface", type="network")
        ET.SubElement(interface, "source", network=network)
        ET.SubElement(interface, "model", type="virtio" if model is None else model.get("type", "virtio"))


def insert_iso(document: ET.Element, iso: VolumeSource) -> None:
    """Put an ISO image into the first CD drive of a definition.

    :raises Conflict: it has none
    """
    drive = document.find("devices/disk[@device='cdrom']")
    if drive is None:
        raise Conflict("the `template` has no CD drive for the `iso`: leave it out")
    put_source(drive, iso)


def _free_numbers(document: ET.Element) -> None:
    """Let libvirt choose what only one guest of the host can have while it runs: ports, and a CID."""
    for graphics in document.iterfind("devices/graphics[@port]"):
        graphics.set("autoport", "yes")
        for port in ("port", "tlsPort"):
            graphics.attrib.pop(port, None)
        if "websocket" in graphics.attrib:
            graphics.set("websocket", "-1")
    for cid in document.iterfind("devices/vsock/cid"):
        cid.set("auto", "yes")
        cid.attrib.pop("address", None)


def _set_text(document: ET.Element, tag: str, text: str) -> None:
    element = document.find(tag)
    if element is None:
        element = ET.SubElement(document, tag)
    element.text = text
