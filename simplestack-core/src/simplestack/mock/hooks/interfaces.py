"""Hooks of guests' network interfaces. They work while the guest runs, too."""

from typing import Any

from msgspec import UNSET
from msgspec.structs import asdict, replace

from simplestack import (
    Conflict,
    EntityNotFound,
    NetworkInterface,
    NetworkInterfaceCreate,
    NetworkInterfaceUpdate,
    hookimpl,
)
from simplestack.mock.entities import interface_entity
from simplestack.mock.session import MockSession
from simplestack.mock.store.addresses import check_addresses
from simplestack.mock.store.devices import new_interface
from simplestack.mock.store.records import GuestRecord, InterfaceRecord


@hookimpl
def network_interface_list(session: MockSession, guest_id: str) -> list[NetworkInterface]:
    """List a guest's network interfaces."""
    return [interface_entity(interface) for interface in session.guest(guest_id).hardware.interfaces]


@hookimpl
def network_interface_info(session: MockSession, guest_id: str, interface_id: str) -> NetworkInterface:
    """Show one network interface of a guest."""
    return interface_entity(_find(session.guest(guest_id), interface_id))


@hookimpl
def network_interface_create(
    session: MockSession, guest_id: str, interface: NetworkInterfaceCreate
) -> NetworkInterface:
    """Add a network interface."""
    mac = None if interface.mac is None else interface.mac.lower()
    with session.change():
        guest = session.guest(guest_id)
        if any(other.mac == mac for other in guest.hardware.interfaces):
            raise Conflict.of_mac(str(mac), guest.name)
        made = new_interface(session, guest.hardware, interface.network, mac)
        session.save_guest(replace(guest, hardware=guest.hardware.with_interface(made)))
    return interface_entity(made)


@hookimpl
def network_interface_update(
    session: MockSession, guest_id: str, interface_id: str, changes: NetworkInterfaceUpdate
) -> NetworkInterface:
    """Change a network interface."""
    changed: dict[str, Any] = {name: value for name, value in asdict(changes).items() if value is not UNSET}
    check_addresses(changed.get("ipv4_allowed", []), 4, session.settings.max_addresses)
    check_addresses(changed.get("ipv6_allowed", []), 6, session.settings.max_addresses)
    if changes.ratelimit is not UNSET:
        changed["ratelimit"] = int(changes.ratelimit) if changes.ratelimit else None
    with session.change():
        guest = session.guest(guest_id)
        interface = _find(guest, interface_id)
        if changes.network is not UNSET:
            changed["network"] = session.network(changes.network, or_name=True).name
        interface = replace(interface, **changed)
        session.save_guest(replace(guest, hardware=guest.hardware.with_interface(interface)))
    return interface_entity(interface)


@hookimpl
def network_interface_delete(session: MockSession, guest_id: str, interface_id: str) -> None:
    """Remove a network interface."""
    with session.change():
        guest = session.guest(guest_id)
        gone = _find(guest, interface_id)
        interfaces = tuple(other for other in guest.hardware.interfaces if other is not gone)
        session.save_guest(replace(guest, hardware=replace(guest.hardware, interfaces=interfaces)))


def _find(guest: GuestRecord, interface_id: str) -> InterfaceRecord:
    """Find an interface by its MAC address, in any letter case."""
    for interface in guest.hardware.interfaces:
        if interface.mac == interface_id.lower():
            return interface
    raise EntityNotFound("NetworkInterface", interface_id)
