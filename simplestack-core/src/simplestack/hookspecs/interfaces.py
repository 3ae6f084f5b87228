"""List, add, change and remove network interfaces of guests. Their ID is the MAC address."""

from typing import Any

from simplestack.entities.network import NetworkInterface, NetworkInterfaceCreate, NetworkInterfaceUpdate
from simplestack.markers import hookspec


@hookspec(firstresult=True)
def network_interface_list(session: Any, guest_id: str) -> list[NetworkInterface]:
    """List a guest's network interfaces in device order.

    :raises EntityNotFound: ``Guest``
    """


@hookspec(firstresult=True)
def network_interface_create(
    session: Any, guest_id: str, interface: NetworkInterfaceCreate
) -> NetworkInterface:
    """Add a network interface. A running guest gets it without a restart.

    :raises EntityNotFound: ``Guest`` or ``Network``
    :raises Conflict: another network interface has this MAC address
    """


@hookspec(firstresult=True)
def network_interface_info(session: Any, guest_id: str, interface_id: str) -> NetworkInterface:
    """Show one network interface of a guest.

    :raises EntityNotFound: ``Guest``, or ``NetworkInterface`` if it does not belong to this guest
    """


@hookspec(firstresult=True)
def network_interface_update(
    session: Any, guest_id: str, interface_id: str, changes: NetworkInterfaceUpdate
) -> NetworkInterface:
    """Change a network interface. It stays attached to the guest.

    :raises EntityNotFound: ``Guest``, ``NetworkInterface`` or ``Network``
    """


@hookspec(firstresult=True)
def network_interface_delete(session: Any, guest_id: str, interface_id: str) -> None:
    """Remove a network interface, also while the guest runs.

    :raises EntityNotFound: ``Guest`` or ``NetworkInterface``
    """
