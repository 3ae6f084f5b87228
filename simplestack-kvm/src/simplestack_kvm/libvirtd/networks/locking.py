"""Locks of network interfaces: which addresses a guest may use, by libvirt's own network filters.

An interface refers to a filter, and the parameters there hold the mode and the addresses: they go with the
interface. A reference without our parameter is somebody else's, and stays.
"""

import ipaddress
import xml.etree.ElementTree as ET
from collections.abc import Iterable

from simplestack import Conflict, InvalidArguments, NetworkInterfaceUpdate
from simplestack_kvm.errors import is_error
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.networks.interface_records import InterfaceRecord
from simplestack_kvm.libvirtd.networks.vlans import is_switched
from simplestack_kvm.sdk import libvirt

#: The parameter that marks our references.
MODE = "SIMPLESTACK_MODE"
#: The mode of an interface without a filter.
UNFILTERED = "network_default"
#: The kinds of interfaces whose traffic libvirt can filter.
_FILTERED_KINDS = frozenset({"network", "bridge", "ethernet"})
#: Lets through the IPv4 and ARP traffic of the addresses in its parameter ``IP``.
_LOCKED = "clean-traffic"
#: Lets nothing through.
_NOTHING = "no-other-l2-traffic"
#: Each address becomes some rules on the host.
_MAX_ADDRESSES = 64


def locking_mode(interface: InterfaceRecord) -> str | None:
    """Return an interface's mode; None if its filter is somebody else's, or its kind cannot be filtered."""
    if interface.kind not in _FILTERED_KINDS:
        return None
    return UNFILTERED if interface.filter is None else next(iter(interface.parameters.get(MODE, ())), None)


def ipv4_allowed(interface: InterfaceRecord) -> list[str]:
    """Return the addresses that an interface's guest may use."""
    return list(interface.parameters.get("IP", ())) if MODE in interface.parameters else []


def filter_reference(interface: InterfaceRecord, changes: NetworkInterfaceUpdate) -> ET.Element | None:
    """Return the ``<filterref>`` that an interface is to have; None for none.

    :raises InvalidArguments: an address is not valid, or the mode takes none
    :raises NotImplementedError: libvirt has no such mode, or cannot filter this kind of interface
    :raises Conflict: the interface has a filter that Simplestack did not set
    """
    if isinstance(changes.ipv6_allowed, list) and changes.ipv6_allowed:
        raise NotImplementedError(
            "`ipv6_allowed`: locked interfaces have no IPv6 on this hypervisor: use `ipv4_allowed` alone"
        )
    if changes.locking_mode == "unlocked":
        raise NotImplementedError(
            "`locking_mode`: libvirt's networks have no default to differ from: use network_default, which "
            "filters nothing"
        )
    if interface.kind not in _FILTERED_KINDS:
        raise NotImplementedError(
            f"libvirt cannot filter interfaces of type {interface.kind}, as {interface.mac} is: leave out "
            "`locking_mode` and `ipv4_allowed`"
        )
    before = locking_mode(interface)
    if before is None:
        raise Conflict(
            f"interface {interface.mac} has the network filter {interface.filter!r}, which Simplestack did "
            "not set: remove it with virsh first"
        )
    mode = changes.locking_mode if isinstance(changes.locking_mode, str) else before
    given = changes.ipv4_allowed if isinstance(changes.ipv4_allowed, list) else None
    addresses = ipv4_allowed(interface) if given is None else _checked(given)
    if mode == UNFILTERED:
        if given:
            raise InvalidArguments("`ipv4_allowed` needs `locking_mode` locked: set both")
        return None
    reference = ET.Element("filterref", filter=_LOCKED if mode == "locked" and addresses else _NOTHING)
    for name, value in ((MODE, mode), *(("IP", address) for address in addresses)):
        ET.SubElement(reference, "parameter", name=name, value=value)
    return reference


def is_on_open_vswitch(session: KvmSession, network: str) -> bool:
    """Return whether a network is on Open vSwitch, where libvirt filters nothing.

    :param network: its name; False if no network has it any more
    """
    try:
        return is_switched(parse_document(session.connection.networkLookupByName(network).XMLDesc()))
    except libvirt.libvirtError as error:
        if not is_error(error, libvirt.VIR_ERR_NO_NETWORK):
            raise
        return False


def _checked(addresses: Iterable[str]) -> list[str]:
    checked: list[str] = []
    for address in addresses:
        try:
            checked.append(str(ipaddress.IPv4Address(address)))
        except ValueError:
            raise InvalidArguments(f"`ipv4_allowed`: {address[:80]!r} is not an IPv4 address") from None
    if len(checked) > _MAX_ADDRESSES:
        raise InvalidArguments(f"`ipv4_allowed` has more than {_MAX_ADDRESSES} addresses: allow fewer")
    return list(dict.fromkeys(checked))
