"""Network interfaces of guests. Their ID is the MAC address."""

import xml.etree.ElementTree as ET
from collections.abc import Mapping

from msgspec import UNSET

from simplestack import (
    Conflict,
    GuestState,
    NetworkInterface,
    NetworkInterfaceCreate,
    NetworkInterfaceUpdate,
    hookimpl,
)
from simplestack_kvm.entities import interface_entity
from simplestack_kvm.libvirtd.connection.lookups import find_network
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.guests.domains import document_of, find_domain, require_guest_state
from simplestack_kvm.libvirtd.networks.interface_records import (
    InterfaceRecord,
    bandwidth_element,
    interface_records,
)
from simplestack_kvm.libvirtd.networks.interfaces import (
    add_interface,
    change_interface,
    find_interface,
    new_mac,
    remove_interface,
)
from simplestack_kvm.libvirtd.networks.locking import filter_reference, is_on_open_vswitch
from simplestack_kvm.libvirtd.networks.plugging import reject_saved
from simplestack_kvm.sdk import libvirt

#: The kinds of interfaces that have no device on the host, so that libvirt can change nothing of them.
_FIXED_KINDS = frozenset({"hostdev", "vdpa", "vhostuser", "user", "null"})


@hookimpl
def network_interface_list(session: KvmSession, guest_id: str) -> list[NetworkInterface]:
    """List a domain's interfaces in the order of its description."""
    return [interface_entity(each) for each in interface_records(document_of(find_domain(session, guest_id)))]


@hookimpl
def network_interface_info(session: KvmSession, guest_id: str, interface_id: str) -> NetworkInterface:
    """Show one interface of a domain."""
    return interface_entity(find_interface(find_domain(session, guest_id), interface_id))


@hookimpl
def network_interface_create(
    session: KvmSession, guest_id: str, interface: NetworkInterfaceCreate
) -> NetworkInterface:
    """Add an interface, of the same model as the guest's first one."""
    domain = find_domain(session, guest_id)
    reject_saved(domain, "add a network interface to")
    network = find_network(session, interface.network).name()
    mac = new_mac() if interface.mac is None else interface.mac.lower()
    add_interface(domain, network, mac)
    return interface_entity(find_interface(domain, mac))


@hookimpl
def network_interface_update(
    session: KvmSession, guest_id: str, interface_id: str, changes: NetworkInterfaceUpdate
) -> NetworkInterface:
    """Change an interface, also while the guest runs: its link, network, rate limit and filter.

    :raises NotImplementedError: libvirt cannot change this of the interface
    """
    domain = find_domain(session, guest_id)
    reject_saved(domain, "change a network interface of")
    interface = find_interface(domain, interface_id)
    parts = _parts(session, domain, interface, changes)
    if parts and interface.kind in _FIXED_KINDS:
        raise NotImplementedError(
            f"libvirt cannot change interfaces of type {interface.kind}, as {interface.mac} is: change it "
            "with virsh"
        )
    if parts:
        change_interface(domain, interface.mac, parts)
    return interface_entity(find_interface(domain, interface_id))


@hookimpl
def network_interface_delete(session: KvmSession, guest_id: str, interface_id: str) -> None:
    """Remove an interface from the running guest, which must release it, and from its definition.

    :raises Busy: the guest does not release it
    """
    domain = find_domain(session, guest_id)
    reject_saved(domain, "delete a network interface of")
    remove_interface(domain, find_interface(domain, interface_id).mac)


def _parts(
    session: KvmSession,
    domain: "libvirt.virDomain",
    interface: InterfaceRecord,
    changes: NetworkInterfaceUpdate,
) -> dict[str, ET.Element | None]:
    """Return the elements to replace, by name. All is checked before the first change."""
    parts: dict[str, ET.Element | None] = {}
    network = interface.network
    if changes.network is not UNSET:
        network = find_network(session, changes.network).name()
        if interface.kind != "network":
            raise NotImplementedError(
                f"interface {interface.mac} is of type {interface.kind} and on no network of libvirt's: "
                "change it with virsh"
            )
        if network != interface.network:
            if interface.is_switched:
                _reject_move(domain, interface)
            parts["source"] = ET.Element("source", network=network)
    if changes.active is not UNSET:
        parts["link"] = ET.Element("link", state="up" if changes.active else "down")
    if changes.ratelimit is not UNSET:
        parts["bandwidth"] = bandwidth_element(int(changes.ratelimit or 0))
    if (changes.locking_mode, changes.ipv4_allowed, changes.ipv6_allowed) != (UNSET, UNSET, UNSET):
        parts["filterref"] = filter_reference(interface, changes)
    _reject_unfiltered(session, interface, network, parts)
    return parts


def _reject_move(domain: "libvirt.virDomain", interface: InterfaceRecord) -> None:
    """Reject to move an interface that has a ``<virtualport>`` of Open vSwitch.

    :raises InvalidState: the guest runs
    :raises NotImplementedError: it does not, so the ``<virtualport>`` is not that of the network
    """
    if domain.isActive():
        require_guest_state(
            domain, f"move interface {interface.mac}, which is on Open vSwitch, of", GuestState.STOPPED
        )
    raise NotImplementedError(
        f"interface {interface.mac} has a <virtualport> of its own: change its network with virsh"
    )


def _reject_unfiltered(
    session: KvmSession,
    interface: InterfaceRecord,
    network: str | None,
    parts: Mapping[str, ET.Element | None],
) -> None:
    """Reject a filter on Open vSwitch. libvirt accepts it for a stopped guest, which then does not start.

    :param network: the one that the interface is on after the change
    :raises NotImplementedError: the change sets the filter
    :raises Conflict: the interface has it, and would be moved there
    """
    is_set = parts.get("filterref") is not None
    is_kept = "source" in parts and "filterref" not in parts and interface.filter is not None
    if not (is_set or is_kept):
        return
    if not interface.is_switched and (network is None or not is_on_open_vswitch(session, network)):
        return
    if is_set:
        raise NotImplementedError(
            f"libvirt cannot filter interfaces on Open vSwitch, as {interface.mac} would be: use the "
            "`locking_mode` network_default"
        )
    raise Conflict(
        f"interface {interface.mac} has the network filter {interface.filter!r}, and libvirt cannot filter "
        "on Open vSwitch: set its `locking_mode` to network_default, too"
    )
