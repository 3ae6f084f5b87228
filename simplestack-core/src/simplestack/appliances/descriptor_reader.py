"""Read OVF descriptors: those of Simplestack, of VMware, VirtualBox, oVirt and others. None is trusted."""

import ipaddress
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote

from simplestack.appliances import terms
from simplestack.appliances.disk_reader import read_disks, read_files
from simplestack.appliances.guest import Appliance, ApplianceInterface, Firmware
from simplestack.appliances.hardware_reader import (
    Item,
    read_cpus,
    read_interfaces,
    read_items,
    read_memory,
)
from simplestack.appliances.xml_input import (
    attribute,
    checked_text,
    child,
    child_text,
    children,
    integer,
    invalid,
    local,
    parse_descriptor,
)
from simplestack.entities.limits import MAX_RATE_BITS
from simplestack.errors import InvalidArguments

_MAX_DESCRIPTION = 4096
_MAX_TAGS = 1000
_MAX_ADDRESSES = 64
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}")


@dataclass(slots=True)
class _OwnRecord:
    """What a descriptor of Simplestack has beyond OVF."""

    guest: Mapping[str, str] = field(default_factory=dict)
    disk_names: dict[str, str] = field(default_factory=dict)
    interfaces: dict[str, Mapping[str, str]] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)


def read_descriptor(document: bytes) -> Appliance:
    """Read an OVF descriptor.

    :raises InvalidArguments: it is damaged, describes no guest or several, or names a file that the
        archive cannot have
    """
    envelope = parse_descriptor(document)
    if local(envelope.tag) != "Envelope":
        raise invalid("is another XML document: it has no `Envelope`")
    system = _virtual_system(envelope)
    hardware = _part(system, "VirtualHardwareSection")
    if hardware is None:
        raise invalid("has no `VirtualHardwareSection`")
    own = _own_record(system)
    files = read_files(child(envelope, "References"))
    items = read_items(hardware, _configuration(envelope))
    firmware, secure_boot = _firmware(system, hardware)
    nvram = own.guest.get("nvramFile")
    if nvram is not None and nvram not in files:
        raise invalid(f"does not list the file of the UEFI variables: {nvram[:80]!r}")
    name = own.guest.get("name") or child_text(system, "Name") or attribute(system, "id") or ""
    return Appliance(
        name=checked_text(name, "name of the guest"),
        memory_mib=read_memory(items),
        cpus=read_cpus(items),
        firmware=firmware,
        secure_boot=secure_boot or own.guest.get("secureBoot") == "true",
        machine=_word(own.guest.get("machine"), "machine"),
        arch=_word(own.guest.get("arch"), "arch"),
        template=own.guest.get("template") == "true",
        tags=tuple(own.tags),
        nvram_href=None if nvram is None else files[nvram].href,
        description=_description(system, own),
        disks=tuple(read_disks(items, _part(envelope, "DiskSection"), files, own.disk_names)),
        interfaces=tuple(_interfaces(items, own)),
        cd_drives=sum(item.kind in (terms.CD, terms.DVD) for item in items),
    )


def _part(parent: ET.Element, name: str) -> ET.Element | None:
    """Return a section: an element of its name, or in older descriptors one that has the name as its type."""
    for element in parent:
        if local(element.tag) == name:
            return element
        if local(element.tag) in ("Section", "Content"):
            kind = (attribute(element, "type") or "").rpartition(":")[2]
            if kind.removesuffix("_Type") == name:
                return element
    return None


def _virtual_system(envelope: ET.Element) -> ET.Element:
    system = _part(envelope, "VirtualSystem")
    parent = envelope
    if system is None:
        collection = child(envelope, "VirtualSystemCollection")
        if collection is not None:
            parent = collection
            system = _part(parent, "VirtualSystem")
    if system is None:
        raise invalid("has no `VirtualSystem`")
    if (
        len(list(children(parent, local(system.tag)))) > 1
        or child(parent, "VirtualSystemCollection") is not None
    ):
        raise invalid("has several guests: export them one by one")
    return system


def _configuration(envelope: ET.Element) -> str | None:
    """Return the ID of the deployment configuration that is used if nobody chooses one."""
    configurations = list(children(_part(envelope, "DeploymentOptionSection"), "Configuration"))
    for configuration in configurations:
        if attribute(configuration, "default") in ("true", "1"):
            return attribute(configuration, "id")
    return attribute(configurations[0], "id") if configurations else None


def _firmware(system: ET.Element, hardware: ET.Element) -> tuple[Firmware, bool]:
    """Return the firmware as VMware's or VirtualBox's words have it, and whether secure boot is on."""
    words = {
        attribute(config, "key") or "": (attribute(config, "value") or "").lower()
        for config in children(hardware, "Config")
    }
    machine = child(child(system, "Machine"), "Hardware")
    virtualbox = child(machine, "Firmware")
    kind = "" if virtualbox is None else (attribute(virtualbox, "type") or "").lower()
    secure_boot = words.get("bootOptions.efiSecureBootEnabled") == "true"
    return ("efi" if words.get("firmware") == "efi" or kind.startswith("efi") else "bios"), secure_boot


def _description(system: ET.Element, own: _OwnRecord) -> str:
    text = own.guest.get("description")
    if text is None:
        text = child_text(_part(system, "AnnotationSection"), "Annotation") or ""
    return text[:_MAX_DESCRIPTION]


def _own_record(system: ET.Element) -> _OwnRecord:
    own = _OwnRecord()
    section = system.find(f"{{{terms.OWN}}}GuestSection")
    for element in () if section is None else section:
        kind = element.tag.removeprefix(f"{{{terms.OWN}}}")
        if kind == "Guest":
            own.guest = element.attrib
        elif kind == "Disk" and element.get("name"):
            own.disk_names[element.get("diskId", "")] = checked_text(
                element.get("name", ""), "name of a disk"
            )
        elif kind == "Interface":
            own.interfaces[element.get("instanceID", "")] = element.attrib
        elif kind == "Tag":
            own.tags.append(checked_text(unquote(element.get("name", "")), "tag"))
    if len(own.tags) > _MAX_TAGS:
        raise invalid(f"has more than {_MAX_TAGS} tags")
    return own


def _interfaces(items: list[Item], own: _OwnRecord) -> list[ApplianceInterface]:
    return [
        _own_interface(interface, own.interfaces.get(instance_id, {}))
        for instance_id, interface in read_interfaces(items).items()
    ]


def _own_interface(interface: ApplianceInterface, fields: Mapping[str, str]) -> ApplianceInterface:
    changes: dict[str, Any] = {}
    if "ratelimit" in fields:
        changes["ratelimit"] = integer(fields["ratelimit"], "`ratelimit`", 1, MAX_RATE_BITS)
    mode = fields.get("lockingMode")
    if mode is not None:
        if mode not in ("locked", "disabled"):
            raise invalid(f"has the locking mode {mode[:80]!r}: use locked or disabled")
        addresses = fields.get("ipv4Allowed", "").split()
        if len(addresses) > _MAX_ADDRESSES:
            raise invalid(f"allows a network interface more than {_MAX_ADDRESSES} addresses")
        changes |= {"locking_mode": mode, "ipv4_allowed": tuple(_address(each) for each in addresses)}
    return replace(interface, **changes)


def _address(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise invalid(f"allows a network interface {text[:80]!r}, which is not an IPv4 address") from None


def _word(text: str | None, what: str) -> str | None:
    if text is not None and not _WORD.fullmatch(text):
        raise InvalidArguments(f"the OVF descriptor has an unusable `{what}`: {text[:80]!r}")
    return text
