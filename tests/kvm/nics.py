"""Network interfaces of the tests' domains."""

import libvirt

from simplestack import NetworkInterface, NetworkInterfaceUpdate
from simplestack_kvm.hooks.interfaces import network_interface_update
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.connection.session import KvmSession

INACTIVE = libvirt.VIR_DOMAIN_XML_INACTIVE
MAC = "52:54:00:aa:bb:cc"


def nic(network: str, mac: str = MAC, more: str = "") -> str:
    """Write an <interface> on a network."""
    inner = f"<mac address='{mac}'/><source network='{network}'/><model type='virtio'/>{more}"
    return f"<interface type='network'>{inner}</interface>"


def interfaces(domain: "libvirt.virDomain", flags: int = INACTIVE) -> list[str]:
    """Return the MAC addresses of a domain's interfaces."""
    found = parse_document(domain.XMLDesc(flags)).iterfind("devices/interface/mac")
    return [mac.get("address", "") for mac in found]


def update(session: KvmSession, domain: "libvirt.virDomain", **changes: object) -> NetworkInterface:
    """Change the interface that has `MAC`."""
    return network_interface_update(session, domain.UUIDString(), MAC, NetworkInterfaceUpdate(**changes))  # type: ignore[arg-type]  # any field of it
