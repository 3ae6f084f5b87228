"""List networks, and create networks on VLANs."""

from typing import Any

from simplestack.entities.network import Network, NetworkCreate
from simplestack.markers import hookspec


@hookspec(firstresult=True)
def network_list(session: Any) -> list[Network]:
    """List the networks that guests can connect to."""


@hookspec(firstresult=True)
def network_info(session: Any, network_id: str) -> Network:
    """Show one network.

    :raises EntityNotFound: ``Network``
    """


@hookspec(firstresult=True)
def network_vlan_create(session: Any, network: NetworkCreate) -> Network:
    """Create a network on a VLAN of the physical interface that ``from_network`` uses.

    :raises EntityNotFound: ``Network`` (the one named in ``from_network``)
    :raises Conflict: another network has this name, or already uses this VLAN on the interface
    """
