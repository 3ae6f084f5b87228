"""Networks: port groups of standard and of distributed switches."""

from simplestack import Network, NetworkCreate, OperationNotSupported, hookimpl, warn
from simplestack_vmware.entities import network_entity
from simplestack_vmware.vsphere.networks.vlans import create_vlan
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


@hookimpl
def network_vlan_create(session: VmwareSession, network: NetworkCreate) -> Network:
    """Create a port group with a VLAN on the switch of another network.

    Standard switches get it on each host that has the other network, all or none of them.
    """
    if network.other_config:
        raise OperationNotSupported("vSphere's networks have no `other_config`: leave it out")
    made = network_entity(create_vlan(session, network))
    if network.description and not made.name_description:
        warn("port groups of standard switches have no description: it was not stored")
    return made
