"""Hooks of networks."""

import uuid

from simplestack import InvalidArguments, Network, NetworkCreate, hookimpl
from simplestack.mock.entities import network_entity
from simplestack.mock.session import MockSession
from simplestack.mock.store.records import NetworkRecord

_MAX_OTHER_CONFIG_CHARACTERS = 4096


@hookimpl
def network_list(session: MockSession) -> list[Network]:
    """List the world's networks."""
    return [network_entity(network) for network in session.networks()]


@hookimpl
def network_info(session: MockSession, network_id: str) -> Network:
    """Show one network."""
    return network_entity(session.network(network_id))


@hookimpl
def network_vlan_create(session: MockSession, network: NetworkCreate) -> Network:
    """Create a network on a VLAN. Created from a VLAN network, it uses the same physical interface."""
    characters = sum(len(key) + len(value) for key, value in network.other_config.items())
    if characters > _MAX_OTHER_CONFIG_CHARACTERS:
        raise InvalidArguments(
            f"`other_config` has {characters} characters: send at most {_MAX_OTHER_CONFIG_CHARACTERS}"
        )
    with session.change():
        trunk = session.network(network.from_network, or_name=True).trunk
        record = NetworkRecord(
            id=str(uuid.uuid4()),
            name=network.name,
            bridge=f"{trunk}.{network.vlan}",
            trunk=trunk,
            vlan=network.vlan,
            description=network.description,
            other_config=network.other_config,
        )
        session.add_network(record)
    return network_entity(record)
