"""Read the hardware in an OVF descriptor."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from simplestack.appliances import terms
from simplestack.appliances.guest import ApplianceInterface, Bus
from simplestack.appliances.units import size_bytes
from simplestack.appliances.xml_input import (
    attribute,
    checked_text,
    child_text,
    children,
    integer,
    invalid,
)
from simplestack.entities.limits import MIB

MAX_CPUS = 4096
MAX_MEMORY_MIB = 64 * 1024**2
_MAX_ITEMS = 1000
#: OVF 2 has names of its own for what stores and what connects.
_ITEM_TAGS = ("Item", "StorageItem", "EthernetPortItem")
#: The buses that a controller's type tells.
_BUSES: Mapping[int, Bus] = {terms.IDE: "ide", terms.SCSI: "scsi", terms.USB: "usb"}
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_MODEL = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """An item of the hardware."""

    instance_id: str | None
    kind: int
    element: ET.Element

    def text(self, tag: str) -> str | None:
        """Return a field; None if it is absent or empty."""
        return child_text(self.element, tag)

    def model(self) -> str | None:
        """Return the subtype in lower case, where it is one word."""
        subtype = (self.text("ResourceSubType") or "").lower()
        return subtype if _MODEL.fullmatch(subtype) else None


def read_items(hardware: ET.Element, configuration: str | None) -> list[Item]:
    """Return the items, in the values that are normal for them.

    :param configuration: ID of the deployment configuration that is used
    :raises InvalidArguments: there are very many, or one has no type
    """
    items: list[Item] = []
    elements = [element for tag in _ITEM_TAGS for element in children(hardware, tag)]
    if len(elements) > _MAX_ITEMS:
        raise invalid(f"has more than {_MAX_ITEMS} items of hardware")
    for element in elements:
        if attribute(element, "bound") not in (None, "normal"):
            continue  # a limit of a value that another item has
        configurations = (attribute(element, "configuration") or "").split()
        if configurations and configuration not in configurations:
            continue
        instance_id = child_text(element, "InstanceID") or child_text(element, "InstanceId")
        if configurations:  # it replaces the general one
            items = [item for item in items if item.instance_id != instance_id]
        kind = integer(child_text(element, "ResourceType") or "", "`ResourceType`", 0, 10**6)
        items.append(Item(instance_id=instance_id, kind=kind, element=element))
    return items


def read_cpus(items: Iterable[Item]) -> int | None:
    """Return the number of CPUs; None if the descriptor has none.

    :raises InvalidArguments: it is not a number that a guest can have
    """
    for item in items:
        if item.kind == terms.CPU:
            return integer(item.text("VirtualQuantity") or "", "a number of CPUs,", 1, MAX_CPUS)
    return None


def read_memory(items: Iterable[Item]) -> int | None:
    """Return the memory in MiB; None if the descriptor has none.

    :raises InvalidArguments: it is not a size that a guest can have
    """
    for item in items:
        if item.kind == terms.MEMORY:
            quantity, unit = item.text("VirtualQuantity") or "", item.text("AllocationUnits")
            memory_mib = size_bytes(quantity, unit, "memory", MAX_MEMORY_MIB * MIB) // MIB
            if not memory_mib:
                raise invalid("has less than 1 MiB of memory")
            return memory_mib
    return None


def read_controllers(items: Iterable[Item]) -> Mapping[str, tuple[Bus | None, str | None]]:
    """Return the bus of each controller and its model, where that matters, by the controller's ID."""
    controllers: dict[str, tuple[Bus | None, str | None]] = {}
    for item in items:
        bus = _bus(item)
        if item.instance_id is not None and bus is not None:
            controllers[item.instance_id] = bus, item.model() if bus == "scsi" else None
    return controllers


def read_interfaces(items: Sequence[Item]) -> dict[str, ApplianceInterface]:
    """Return the network interfaces by the IDs of their items, or what stands for those.

    :raises InvalidArguments: a name or an address cannot be one
    """
    interfaces = {}
    for number, item in enumerate(items):
        if item.kind == terms.ETHERNET:
            network = item.text("Connection")
            interfaces[item.instance_id or f"number {number}"] = ApplianceInterface(
                network=None if network is None else checked_text(network, "name of a network"),
                mac=_mac(item.text("Address") or item.text("MACAddress")),
                model=item.model(),
                active=item.text("AutomaticAllocation") != "false",
            )
    return interfaces


def _bus(item: Item) -> Bus | None:
    """Return the bus of a controller; None for other items, and for a bus that is not known here."""
    subtype = (item.text("ResourceSubType") or "").lower()
    if item.kind == terms.OTHER_STORAGE:
        if "virtio" in subtype:
            return "scsi" if "scsi" in subtype else "virtio"
        if "nvm" in subtype:
            return "nvme"
        return "sata" if not subtype or "ahci" in subtype or "sata" in subtype else None
    return _BUSES.get(item.kind)


def _mac(address: str | None) -> str | None:
    """Return an address in lower case; None for what is none: some programs write a slot's number there.

    :raises InvalidArguments: no interface can have it
    """
    mac = (address or "").lower().replace("-", ":")
    if not _MAC.fullmatch(mac):
        return None
    if int(mac[:2], 16) & 1 or mac == "00:00:00:00:00:00":
        raise invalid(f"has the MAC address {mac}, which no network interface can have")
    return mac
