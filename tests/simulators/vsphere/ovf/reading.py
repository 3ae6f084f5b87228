"""OVF descriptors, as they are read: files, disks, networks, and the hardware of one VM."""

import re
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

from pyVmomi import vim

OVF = "http://schemas.dmtf.org/ovf/envelope/1"
VMW = "http://www.vmware.com/schema/ovf"
VSSD = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData"
_UNITS = re.compile(r"\s*byte\s*(?:\*\s*(2|10)\s*\^\s*(\d{1,2}))?\s*\Z")
_OLD_UNITS = {"KiloBytes": 2**10, "MegaBytes": 2**20, "MB": 2**20, "GigaBytes": 2**30}


class InvalidDescriptorError(Exception):
    """A descriptor that cannot be imported."""

    def __init__(self, fault: Any) -> None:
        super().__init__(fault)
        #: What vSphere says of it.
        self.fault = fault


class Item(NamedTuple):
    """A part of the hardware."""

    instance: str
    kind: int
    values: dict[str, str]
    is_required: bool


class Descriptor(NamedTuple):
    """What a descriptor has."""

    name: str
    annotation: str
    #: VMware's identifier; empty if there is none.
    guest: str
    version: str
    #: Those of VMware's settings that are not items, such as the firmware.
    settings: dict[str, str]
    #: What names the file of the firmware's settings.
    nvram: list[str]
    #: Attributes of files, by identifier.
    files: dict[str, dict[str, str]]
    #: Attributes of disks, by identifier.
    disks: dict[str, dict[str, str]]
    #: The descriptions of networks by name.
    networks: dict[str, str]
    items: list[Item]


def read(text: str) -> Descriptor:
    """Read a descriptor.

    :raises InvalidDescriptorError: it is none, or not one of a VM
    """
    try:
        root = ET.fromstring(text)  # noqa: S314  a test's own
    except (ET.ParseError, ValueError) as error:
        fault = vim.fault.OvfXmlFormat(lineNumber=1, description=str(error))
        raise InvalidDescriptorError(fault) from error
    if root.tag != f"{{{OVF}}}Envelope":
        raise missing("Envelope")
    if root.find(f"{{{OVF}}}VirtualSystemCollection") is not None:
        raise InvalidDescriptorError(vim.fault.OvfUnsupportedElement(name="VirtualSystemCollection"))
    system = _find(root, "VirtualSystem")
    hardware = _find(system, "VirtualHardwareSection")
    guest = system.find(f"{{{OVF}}}OperatingSystemSection")
    settings = {
        each.get(f"{{{VMW}}}key", ""): each.get(f"{{{VMW}}}value", "")
        for each in hardware.findall(f"{{{VMW}}}Config")
    }
    nvram = [
        each.get(f"{{{VMW}}}value", "")
        for each in hardware.findall(f"{{{VMW}}}ExtraConfig")
        if each.get(f"{{{VMW}}}key") == "nvram"
    ]
    return Descriptor(
        name=system.findtext(f"{{{OVF}}}Name") or system.get(f"{{{OVF}}}id") or "vm",
        annotation=system.findtext(f"{{{OVF}}}AnnotationSection/{{{OVF}}}Annotation") or "",
        guest="" if guest is None else guest.get(f"{{{VMW}}}osType", ""),
        version=hardware.findtext(f"{{{OVF}}}System/{{{VSSD}}}VirtualSystemType") or "",
        settings=settings,
        nvram=nvram,
        files=_listed(root, "References", "File", "id"),
        disks=_listed(root, "DiskSection", "Disk", "diskId"),
        networks=_networks(root),
        items=[_item(each) for each in hardware.findall(f"{{{OVF}}}Item")],
    )


def size_in_bytes(value: str, units: str, element: str, name: str) -> int:
    """Return a size: ``8``, ``byte * 2^30``.

    :param element: where it is, for the error
    :raises InvalidDescriptorError: it is none
    """
    found = _UNITS.match(units)
    if not value.isdecimal() or (found is None and units not in _OLD_UNITS):
        raise invalid(element, name, f"{value} {units}")
    if found is None:
        return int(value) * _OLD_UNITS[units]
    return int(value) * (int(found[1]) ** int(found[2]) if found[1] else 1)


def number_of(item: Item, name: str, default: int | None = None) -> int:
    """Return a number of an item.

    :raises InvalidDescriptorError: it is none, or it is missing and there is no default
    """
    value = item.values.get(name, "" if default is None else str(default))
    if not value.isdecimal():
        raise invalid("Item", name, value)
    return int(value)


def invalid(element: str, attribute: str, value: str) -> InvalidDescriptorError:
    """Return the error of a value that is not allowed."""
    return InvalidDescriptorError(
        vim.fault.OvfInvalidValue(lineNumber=0, elementName=element, attributeName=attribute, value=value)
    )


def missing(name: str) -> InvalidDescriptorError:
    """Return the error of an element that is not there."""
    return InvalidDescriptorError(vim.fault.OvfMissingElement(lineNumber=0, name=name))


def _find(parent: ET.Element, name: str) -> ET.Element:
    found = parent.find(f"{{{OVF}}}{name}")
    if found is None:
        raise missing(name)
    return found


def _listed(root: ET.Element, section: str, name: str, key: str) -> dict[str, dict[str, str]]:
    found = {}
    for each in root.findall(f"{{{OVF}}}{section}/{{{OVF}}}{name}"):
        attributes = {field.rpartition("}")[2]: value for field, value in each.attrib.items()}
        if key not in attributes:
            fault = vim.fault.OvfMissingAttribute(lineNumber=0, elementName=name, attributeName=key)
            raise InvalidDescriptorError(fault)
        found[attributes[key]] = attributes
    return found


def _networks(root: ET.Element) -> dict[str, str]:
    names = _listed(root, "NetworkSection", "Network", "name")
    found = root.findall(f"{{{OVF}}}NetworkSection/{{{OVF}}}Network")
    return {
        name: each.findtext(f"{{{OVF}}}Description") or "" for name, each in zip(names, found, strict=True)
    }


def _item(element: ET.Element) -> Item:
    values = {each.tag.rpartition("}")[2]: (each.text or "").strip() for each in element}
    kind = values.get("ResourceType", "")
    if not kind.isdecimal():
        raise missing("ResourceType")
    is_required = element.get(f"{{{OVF}}}required") != "false"
    return Item(values.get("InstanceID", ""), int(kind), values, is_required)
