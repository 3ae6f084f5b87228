"""What libvirt says of network interfaces, as records: pure functions."""

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simplestack_kvm.libvirtd.networks.vlans import is_switched

#: libvirt has rates in KiB/s, clients in bit/s.
BITS_IN_KIB = 8192


@dataclass(frozen=True, kw_only=True, slots=True)
class InterfaceRecord:
    """An ``<interface>``."""

    #: Position among the interfaces of its domain.
    position: int
    #: Lower-case.
    mac: str
    #: libvirt's type: ``network``, ``bridge``, ``direct``, ``hostdev``, ...
    kind: str
    #: The libvirt network that it is on; None if it is on none.
    network: str | None
    #: Whether it has a ``<virtualport>`` of Open vSwitch. While its guest runs, it has that of its network.
    is_switched: bool
    is_up: bool
    #: The most that the guest sends, or else receives; None without a limit.
    rate_kib: int | None
    #: The network filter.
    filter: str | None
    #: The parameters of the filter: several may have one name.
    parameters: Mapping[str, Sequence[str]]


def interface_records(domain: ET.Element) -> list[InterfaceRecord]:
    """Read a domain's interfaces, in the order of the devices."""
    elements = enumerate(domain.iterfind("devices/interface"))
    return [interface_record(element, position) for position, element in elements]


def interface_record(interface: ET.Element, position: int) -> InterfaceRecord:
    """Read an ``<interface>``, of whoever's making."""
    kind, source, link = kind_of(interface), interface.find("source"), interface.find("link")
    reference = interface.find("filterref")
    parameters: dict[str, list[str]] = {}
    for parameter in interface.iterfind("filterref/parameter"):
        parameters.setdefault(parameter.get("name", ""), []).append(parameter.get("value", ""))
    averages = (interface.find(f"bandwidth/{direction}[@average]") for direction in ("outbound", "inbound"))
    rate = next((element.get("average") for element in averages if element is not None), None)
    return InterfaceRecord(
        position=position,
        mac=mac_of(interface),
        kind=kind,
        network=source.get("network") if source is not None and kind == "network" else None,
        is_switched=is_switched(interface),
        is_up=link is None or link.get("state") != "down",
        rate_kib=None if rate is None else int(rate),
        filter=None if reference is None else reference.get("filter"),
        parameters=parameters,
    )


def kind_of(interface: ET.Element) -> str:
    """Return the type that an ``<interface>`` has in its definition.

    While its guest runs, libvirt shows one on a network of a host's bridge as ``bridge``, with its network.
    """
    kind, source = interface.get("type", ""), interface.find("source")
    is_on_network = kind == "bridge" and source is not None and source.get("network") is not None
    return "network" if is_on_network else kind


def mac_of(interface: ET.Element) -> str:
    """Return the MAC address of an ``<interface>``, in lower case."""
    mac = interface.find("mac")
    return "" if mac is None else mac.get("address", "").lower()


def bandwidth_element(rate_bits: int) -> ET.Element | None:
    """Describe a limit in both directions, rounded up to KiB/s; None without a limit.

    :param rate_bits: bits per second; 0 for no limit
    """
    if not rate_bits:
        return None
    bandwidth, rate = ET.Element("bandwidth"), str(-(-rate_bits // BITS_IN_KIB))
    # Open vSwitch takes the average of what a guest receives as its minimum, and the peak as the limit.
    ET.SubElement(bandwidth, "inbound", average=rate, peak=rate)
    ET.SubElement(bandwidth, "outbound", average=rate)
    return bandwidth
