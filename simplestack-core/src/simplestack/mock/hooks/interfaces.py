"""Hooks of guests' network interfaces. All of it works while the guest runs."""

from msgspec import UNSET
from msgspec.structs import replace

from simplestack import Conflict, NetworkInterface, NetworkInterfaceCreate, NetworkInterfaceUpdate, hookimpl
from simplestack.mock.session import MockSession
from simplestack.mock.store.addresses import check_addresses, plain_mac
from simplestack.mock.store.devices import find_interface, new_interface, with_interface
from simplestack.mock.store.views import interface_entity


@hookimpl
def network_interface_list(session: MockSession, guest_id: str) -> list[NetworkInterface]:
    """List a guest's network interfaces."""
    return [interface_entity(interface) for interface in session.guest(guest_id).hardware.interfaces]


@hookimpl
def network_interface_info(session: MockSession, guest_id: str, interface_id: str) -> NetworkInterface:
    """Show one network interface of a guest."""
    return interface_entity(find_interface(session.guest(guest_id), interface_id))


@hookimpl
def network_interface_create(
    session: MockSession, guest_id: str, interface: NetworkInterfaceCreate
) -> NetworkInterface:
    """Add a network interface."""
    mac = None if interface.mac is None else plain_mac(interface.mac)
    with session.change() as change:
        guest = change.guest(guest_id)
        present = {found.mac for found in guest.hardware.interfaces}
        if mac in present:
            raise Conflict(f"guest {guest.name!r} has an interface {mac} already: choose another MAC address")
        hardware = new_interface(change, guest.hardware, interface.network, mac)
        change.save_guest(guest, replace(guest, hardware=hardware))
    (made,) = (found for found in hardware.interfaces if found.mac not in present)
    return interface_entity(made)


@hookimpl
def network_interface_update(
    session: MockSession, guest_id: str, interface_id: str, changes: NetworkInterfaceUpdate
) -> NetworkInterface:
    """Change a network interface."""
    bound = session.settings.max_addresses
    with session.change() as change:
        guest = change.guest(guest_id)
        interface = find_interface(guest, interface_id)
        if changes.network is not UNSET:
            interface = replace(interface, network=change.network(changes.network).name)
        if changes.active is not UNSET:
            interface = replace(interface, active=changes.active)
        if changes.ratelimit is not UNSET:
            interface = replace(interface, ratelimit=int(changes.ratelimit) if changes.ratelimit else None)
        if changes.locking_mode is not UNSET:
            interface = replace(interface, locking_mode=changes.locking_mode)
        if changes.ipv4_allowed is not UNSET:
            check_addresses(changes.ipv4_allowed, 4, bound)
            interface = replace(interface, ipv4_allowed=changes.ipv4_allowed)
        if changes.ipv6_allowed is not UNSET:
            check_addresses(changes.ipv6_allowed, 6, bound)
            interface = replace(interface, ipv6_allowed=changes.ipv6_allowed)
        change.save_guest(guest, replace(guest, hardware=with_interface(guest.hardware, interface)))
    return interface_entity(interface)


@hookimpl
def network_interface_delete(session: MockSession, guest_id: str, interface_id: str) -> None:
    """Remove a network interface."""
    with session.change() as change:
        guest = change.guest(guest_id)
        gone = find_interface(guest, interface_id)
        interfaces = tuple(found for found in guest.hardware.interfaces if found is not gone)
        change.save_guest(guest, replace(guest, hardware=replace(guest.hardware, interfaces=interfaces)))
