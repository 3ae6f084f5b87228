"""Networks on VLANs of Open vSwitch: their descriptions, and what Simplestack keeps in them. Pure functions.

Before version 9.7, libvirt has no description of a network. So that is kept in the network's metadata, with
the settings that a client gave, in an XML namespace of Simplestack's own.
"""

import string
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

_NAMESPACE = "urn:simplestack:kvm:network"
_PREFIX = "simplestack"
#: What is kept as it is, so that people can read it. XML cannot hold all of the rest.
_READABLE = (string.punctuation + " ").replace("%", "")
OPEN_VSWITCH = "openvswitch"


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptFields:
    """The fields of a network that libvirt has no place for."""

    description: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)


def vlan_network(network_id: str, name: str, bridge: str, tag: int, kept: KeptFields) -> str:
    """Write the ``<network>`` of a VLAN.

    :param bridge: a bridge of Open vSwitch on the host
    :param tag: the VLAN's ID
    """
    network = ET.Element("network")
    ET.SubElement(network, "name").text = name
    ET.SubElement(network, "uuid").text = network_id
    metadata = ET.SubElement(network, "metadata")
    fields = {f"xmlns:{_PREFIX}": _NAMESPACE, "description": _quoted(kept.description)}
    element = ET.SubElement(metadata, f"{_PREFIX}:network", fields)
    for key, value in kept.settings.items():
        ET.SubElement(element, f"{_PREFIX}:setting", name=_quoted(key), value=_quoted(value))
    ET.SubElement(network, "forward", mode="bridge")
    ET.SubElement(network, "bridge", name=bridge)
    ET.SubElement(network, "virtualport", type=OPEN_VSWITCH)
    ET.SubElement(ET.SubElement(network, "vlan"), "tag", id=str(tag))
    return ET.tostring(network, encoding="unicode")


def kept_fields(network: ET.Element) -> KeptFields:
    """Read what Simplestack keeps in a ``<network>``; nothing in one of another tool."""
    element = network.find(f"metadata/{{{_NAMESPACE}}}network")
    if element is None:
        return KeptFields()
    settings = {
        unquote(setting.get("name", "")): unquote(setting.get("value", ""))
        for setting in element.iterfind(f"{{{_NAMESPACE}}}setting")
    }
    return KeptFields(description=unquote(element.get("description", "")), settings=settings)


def vlan_tags(network: ET.Element) -> list[str]:
    """Return the IDs of a network's VLANs."""
    return [tag.get("id", "") for tag in network.iterfind("vlan/tag")]


def virtual_port(network: ET.Element) -> str | None:
    """Return the type of the ports of a network, such as ``openvswitch``; None for those of Linux."""
    port = network.find("virtualport")
    return None if port is None else port.get("type")


def is_switched(described: ET.Element) -> bool:
    """Return whether a network, or one of its port groups, or an interface has ports of Open vSwitch."""
    return any(port.get("type") == OPEN_VSWITCH for port in described.iter("virtualport"))


def bridge_of(network: ET.Element) -> str | None:
    """Return the name of a network's bridge on the host."""
    bridge = network.find("bridge")
    return None if bridge is None else bridge.get("name")


def _quoted(text: str) -> str:
    return quote(text, safe=_READABLE)
