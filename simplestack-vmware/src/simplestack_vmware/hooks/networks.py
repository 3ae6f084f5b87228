"""Networks: port groups of standard and of distributed switches."""

from simplestack import Network, hookimpl
from simplestack_vmware.entities import network_entity
from simplestack_vmware.vsphere.sessions.lookups import all_networks, find_network
from simplestack_vmware.vsphere.sessions.session import VmwareSession


@hookimpl
def network_list(session: VmwareSession) -> list[Network]:
    """List the networks that guests can connect to: one round trip."""
    return [network_entity(network) for network in all_networks(session)]


@hookimpl
def network_info(session: VmwareSession, network_id: str) -> Network:
    """Show one network, by ID or name."""
    return network_entity(find_network(session, network_id))
