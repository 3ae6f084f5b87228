"""Networks of the pool, and VLANs."""

from simplestack import Conflict, InvalidArguments, Network, NetworkCreate, hookimpl
from simplestack_xen.entities import network_entity
from simplestack_xen.xapi import lookups
from simplestack_xen.xapi.lookups import find_network, is_set
from simplestack_xen.xapi.records import BondRecord, NetworkRecord, PifRecord
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.undo import Undo


@hookimpl
def network_list(session: XenSession) -> list[Network]:
    """List the pool's networks: one round trip."""
    return [network_entity(record) for record in session.api.read_all(NetworkRecord, "network").values()]


@hookimpl
def network_info(session: XenSession, network_id: str) -> Network:
    """Show one network, by UUID, name or reference."""
    return network_entity(find_network(session, network_id).record)


@hookimpl
def network_vlan_create(session: XenSession, network: NetworkCreate) -> Network:
    """Create a network on a VLAN of the network's physical interface, or its bond, on each host."""
    api = session.api
    below = find_network(session, network.from_network)
    interface = _interface(session, below)
    if api.read(list[str], "network.get_by_name_label", network.name):
        raise Conflict.of_name("network", network.name)
    values = {
        "name_label": network.name,
        "name_description": network.description,
        "MTU": below.record.MTU,
        "other_config": network.other_config,
        "tags": [],
    }
    with Undo() as undo:
        ref = str(session.xenapi.network.create(values))
        undo.do("network.destroy", _remove, session, ref)
        session.tasks.run.pool.create_VLAN_from_PIF(interface, ref, network.vlan)
    return network_entity(api.read(NetworkRecord, "network.get_record", ref))


def _remove(session: XenSession, ref: str) -> None:
    """Remove a network with its VLANs on all hosts."""
    api = session.api
    pifs = api.read(NetworkRecord, "network.get_record", ref).PIFs
    for pif in api.read_some(PifRecord, "PIF", pifs).values():
        if is_set(pif.VLAN_master_of):
            session.tasks.run.VLAN.destroy(pif.VLAN_master_of)
    session.xenapi.network.destroy(ref)


def _interface(session: XenSession, network: lookups.Network) -> str:
    """Return a physical interface of a network, or its bond.

    :raises InvalidArguments: there is none, or the network is a VLAN itself
    """
    api, name = session.api, network.record.name_label
    pifs = api.read_some(PifRecord, "PIF", network.record.PIFs)
    if not pifs:
        raise InvalidArguments(
            f"`from_network`: {name!r} has no physical interface for a VLAN: choose another network"
        )
    untagged = [(ref, pif) for ref, pif in pifs.items() if pif.VLAN < 0 and not pif.tunnel_access_PIF_of]
    if not untagged:
        raise InvalidArguments(
            f"`from_network`: {name!r} is a VLAN or a tunnel itself: use the network of its physical "
            "interface"
        )
    ref, pif = untagged[0]
    if is_set(pif.bond_slave_of):
        return api.read(BondRecord, "Bond.get_record", pif.bond_slave_of).master
    return ref
