"""Write OVF descriptors."""

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from urllib.parse import quote

from simplestack.appliances import terms
from simplestack.appliances.guest import Appliance
from simplestack.appliances.hardware_items import HardwareItems, disk_id
from simplestack.appliances.terms import OVF, OWN, RASD, VMW, VSSD

#: The family of the hardware. VMware's products read only descriptors with a family of theirs.
_FAMILY = "vmx-10"
#: "Other 64-Bit" of CIM_OperatingSystem: what a guest runs is not known.
_OTHER_64_BIT = "102"
_OPTIONAL = {f"{{{OVF}}}required": "false"}

for _prefix, _uri in (("ovf", OVF), ("rasd", RASD), ("vssd", VSSD), ("vmw", VMW), ("simplestack", OWN)):
    ET.register_namespace(_prefix, _uri)


def write_descriptor(appliance: Appliance) -> bytes:
    """Return the OVF descriptor of a guest, as UTF-8.

    XML must be able to have all texts, as it can those that libvirt returns. Tags may be any text.
    """
    file_ids = _file_ids(appliance)
    disks = {disk.href: disk for disk in appliance.disks}
    envelope = ET.Element(f"{{{OVF}}}Envelope", {f"{{{OVF}}}version": "1.0"})
    references = _add(envelope, "References")
    for href, file_id in file_ids.items():
        disk = disks.get(href)
        sizes = {} if disk is None else {"size": disk.file_bytes, "chunkSize": disk.chunk_bytes}
        _add(references, "File", id=file_id, href=href, **sizes)
    section = _section(envelope, "DiskSection", "Disks of the guest")
    for number, disk in enumerate(appliance.disks, 1):
        _add(
            section,
            "Disk",
            diskId=disk_id(number),
            capacity=disk.capacity_bytes,
            capacityAllocationUnits="byte",
            fileRef=None if disk.href is None else file_ids[disk.href],
            format=None if disk.format is None else terms.FORMAT_URIS.get(disk.format),
            populatedSize=disk.populated_bytes,
        )
    networks = _section(envelope, "NetworkSection", "Networks of the guest")
    for name in dict.fromkeys(each.network for each in appliance.interfaces if each.network is not None):
        _add(networks, "Network", name=name)
    _virtual_system(envelope, appliance, file_ids)
    ET.indent(envelope)
    document: bytes = ET.tostring(envelope, encoding="utf-8", xml_declaration=True)
    return document


def _file_ids(appliance: Appliance) -> dict[str, str]:
    """Return the ID of each file by its name, in the order of the archive."""
    hrefs = [*(disk.href for disk in appliance.disks), appliance.nvram_href]
    return {
        href: f"file{number}" for number, href in enumerate((href for href in hrefs if href is not None), 1)
    }


def _virtual_system(envelope: ET.Element, appliance: Appliance, file_ids: Mapping[str, str]) -> None:
    system = _section(envelope, "VirtualSystem", "A virtual machine", id=appliance.name)
    _add(system, "Name").text = appliance.name
    if appliance.description:
        annotation = _section(system, "AnnotationSection", "Description of the guest")
        _add(annotation, "Annotation").text = appliance.description
    kind = _section(system, "OperatingSystemSection", "The kind of operating system", id=_OTHER_64_BIT)
    _add(kind, "Description").text = "Other (64-bit)"
    hardware = _section(system, "VirtualHardwareSection", "Hardware of the guest")
    described = _add(hardware, "System")
    for tag, text in (
        ("ElementName", "Virtual Hardware Family"),
        ("InstanceID", "0"),
        ("VirtualSystemIdentifier", appliance.name),
        ("VirtualSystemType", _FAMILY),
    ):
        ET.SubElement(described, f"{{{VSSD}}}{tag}").text = text
    items = HardwareItems(appliance)
    for fields in items.fields:
        item = _add(hardware, "Item")
        for tag, value in fields.items():
            ET.SubElement(item, f"{{{RASD}}}{tag}").text = str(value)
    if appliance.firmware != "bios":
        # VMware's word, which other programs read, too.
        words = {f"{{{VMW}}}key": "firmware", f"{{{VMW}}}value": appliance.firmware}
        ET.SubElement(hardware, f"{{{VMW}}}Config", _OPTIONAL | words)
    _own_section(system, appliance, items, file_ids)


def _own_section(
    system: ET.Element, appliance: Appliance, items: HardwareItems, file_ids: Mapping[str, str]
) -> None:
    section = ET.SubElement(system, f"{{{OWN}}}GuestSection", _OPTIONAL)
    _add(section, "Info").text = "What OVF has no words for"
    _add_own(
        section,
        "Guest",
        # In attributes, texts keep their white space.
        name=appliance.name,
        description=appliance.description,
        secureBoot=_boolean(appliance.secure_boot),
        machine=appliance.machine,
        arch=appliance.arch,
        template=_boolean(appliance.template),
        nvramFile=None if appliance.nvram_href is None else file_ids[appliance.nvram_href],
    )
    for number, disk in enumerate(appliance.disks, 1):
        _add_own(section, "Disk", diskId=disk_id(number), name=disk.name)
    for number, interface in zip(items.interface_ids, appliance.interfaces, strict=True):
        _add_own(
            section,
            "Interface",
            instanceID=str(number),
            ratelimit=None if interface.ratelimit is None else str(interface.ratelimit),
            lockingMode=interface.locking_mode,
            ipv4Allowed=" ".join(interface.ipv4_allowed) or None,
        )
    for tag in appliance.tags:
        _add_own(section, "Tag", name=quote(tag, safe="", errors="surrogatepass"))


def _boolean(value: object) -> str:
    return "true" if value else "false"


def _section(parent: ET.Element, tag: str, info: str, **attributes: str | int | None) -> ET.Element:
    section = _add(parent, tag, **attributes)
    _add(section, "Info").text = info
    return section


def _add(parent: ET.Element, tag: str, **attributes: str | int | None) -> ET.Element:
    given = {f"{{{OVF}}}{name}": str(value) for name, value in attributes.items() if value is not None}
    return ET.SubElement(parent, f"{{{OVF}}}{tag}", given)


def _add_own(parent: ET.Element, tag: str, **attributes: str | None) -> None:
    given = {name: value for name, value in attributes.items() if value is not None}
    ET.SubElement(parent, f"{{{OWN}}}{tag}", given)
