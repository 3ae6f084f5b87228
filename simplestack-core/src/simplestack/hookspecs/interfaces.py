"""Hooks of guests' network interfaces. Their id is the MAC address, in any letter case."""

from typing import Any

from simplestack.entities.network import NetworkInterface, NetworkInterfaceCreate, NetworkInterfaceUpdate
from simplestack.markers import hookspec


@hookspec(firstresult=True)
def network_interface_list(session: Any, guest_id: str) -> list[NetworkInterface]:
    """List a guest's network interfaces, in the order of their devices.

    :raises EntityNotFound: ``Guest``
    """


@hookspec(firstresult=True)
def network_interface_create(
    session: Any, guest_id: str, interface: NetworkInterfaceCreate
) -> NetworkInterface:
    """Add a network interface; hot when the guest runs.

    :raises EntityNotFound: ``Guest`` or ``Network``
    :raises Conflict: the MAC address is taken
    """


@hookspec(firstresult=True)
def network_interface_info(session: Any, guest_id: str, interface_id: str) -> NetworkInterface:
    """Show one network interface of a guest.

    :raises EntityNotFound: ``Guest``, or ``NetworkInterface`` when it is not this guest's
    """


@hookspec(firstresult=True)
def network_interface_update(
    session: Any, guest_id: str, interface_id: str, changes: NetworkInterfaceUpdate
) -> NetworkInterface:
    """Change a network interface without losing it.

    :raises EntityNotFound: ``Guest``, ``NetworkInterface`` or ``Network``
    """


@hookspec(firstresult=True)
def network_interface_delete(session: Any, guest_id: str, interface_id: str) -> None:
    """Remove a network interface; hot when the guest runs.

    :raises EntityNotFound: ``Guest`` or ``NetworkInterface``
    """
