"""Networks: the active virtual networks of libvirt. It makes VLANs on Open vSwitch alone."""

import logging
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Mapping

from simplestack import Conflict, HypervisorError, InvalidArguments, Network, NetworkCreate, hookimpl
from simplestack_kvm.entities import NETWORK_FACTS, network_entity
from simplestack_kvm.errors import has_reason
from simplestack_kvm.libvirtd.changes.leftovers import Leftovers
from simplestack_kvm.libvirtd.changes.turns import turn
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.connection.lookups import find_network
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.guests.naming import check_spelling
from simplestack_kvm.libvirtd.networks.vlans import (
    KeptFields,
    bridge_of,
    is_switched,
    vlan_network,
    vlan_tags,
)
from simplestack_kvm.sdk import libvirt

#: Each list of networks reads it.
_MAX_OTHER_CONFIG_CHARACTERS = 4096

_log = logging.getLogger(__name__)


@hookimpl
def network_list(session: KvmSession) -> list[Network]:
    """List the active networks: one round trip, and one for each network."""
    networks = session.connection.listAllNetworks(libvirt.VIR_CONNECT_LIST_NETWORKS_ACTIVE)
    return [entity for network in networks if (entity := _listed(network)) is not None]


@hookimpl
def network_info(session: KvmSession, network_id: str) -> Network:
    """Show one active network, by ID or name."""
    return network_entity(parse_document(find_network(session, network_id).XMLDesc()))


@hookimpl
def network_vlan_create(session: KvmSession, network: NetworkCreate) -> Network:
    """Create a network on a VLAN of the Open vSwitch bridge that ``from_network`` uses.

    libvirt starts it again when the host has booted.

    :raises InvalidArguments: libvirt cannot store the name, or has no place for ``other_config``
    :raises NotImplementedError: ``from_network`` is not on Open vSwitch
    """
    check_spelling(network.name, "network")
    _check_settings(network.other_config)
    below = find_network(session, network.from_network)
    bridge = _open_vswitch_bridge(parse_document(below.XMLDesc()))
    with turn(f"{session.target} {bridge}", "creating a network on a VLAN of the same bridge"):
        _reject_taken(session, network, bridge)
        return _create(session, network, bridge)


def _listed(network: "libvirt.virNetwork") -> Network | None:
    """Return the entity of a network in a list; None if it no longer exists.

    A network that libvirt cannot describe has only its ID and its name, so that the list does not fail.
    """
    try:
        return network_entity(parse_document(network.XMLDesc()))
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_NETWORK:
            return None
        if not has_reason(error):
            raise
        _log.warning("network %s is listed without details", network.name(), exc_info=True)
    except HypervisorError:
        _log.warning("network %s is listed without details", network.name(), exc_info=True)
    return Network(id=network.UUIDString(), name_label=network.name())


def _check_settings(settings: Mapping[str, str]) -> None:
    characters = sum(len(key) + len(value) for key, value in settings.items())
    if characters > _MAX_OTHER_CONFIG_CHARACTERS:
        raise InvalidArguments(
            f"`other_config` has {characters} characters: send at most {_MAX_OTHER_CONFIG_CHARACTERS}"
        )
    facts = [key for key in NETWORK_FACTS if key in settings]
    if facts:
        raise InvalidArguments(f"`other_config`: {facts[0]!r} is a fact of each network: leave it out")


def _open_vswitch_bridge(below: ET.Element) -> str:
    """Return the bridge of a network, which must be one of Open vSwitch.

    :raises NotImplementedError: it is not
    """
    bridge = bridge_of(below)
    if bridge is None or not is_switched(below):
        raise NotImplementedError(
            f"network {below.findtext('name')!r} is not on Open vSwitch, and libvirt makes VLANs only there: "
            "name a network with <forward mode='bridge'/> and <virtualport type='openvswitch'/>, or make the "
            "VLAN and a bridge on the host, and define a network on that bridge with virsh"
        )
    return bridge


def _reject_taken(session: KvmSession, wanted: NetworkCreate, bridge: str) -> None:
    """Reject a name, or a VLAN of the bridge, that another network has, be it active or not.

    One round trip, and one for each network.

    :raises Conflict: another one has it
    """
    for other in session.connection.listAllNetworks():
        if other.name() == wanted.name:
            raise Conflict.of_name("network", wanted.name)
        try:
            document = parse_document(other.XMLDesc())
        except libvirt.libvirtError as error:
            if not has_reason(error):
                raise
            continue  # it is gone, or libvirt cannot describe it
        if bridge_of(document) == bridge and vlan_tags(document) == [str(wanted.vlan)]:
            raise Conflict.of_vlan(wanted.vlan, other.name())


def _create(session: KvmSession, wanted: NetworkCreate, bridge: str) -> Network:
    network_id = str(uuid.uuid4())
    kept = KeptFields(description=wanted.description, settings=wanted.other_config)
    text = vlan_network(network_id, wanted.name, bridge, wanted.vlan, kept)
    with Leftovers(session) as made:
        made.add_network(network_id, wanted.name)
        network = _define(session, text, wanted.name)
        network.create()
        network.setAutostart(1)
        return network_entity(parse_document(network.XMLDesc()))


def _define(session: KvmSession, text: str, name: str) -> "libvirt.virNetwork":
    try:
        return session.connection.networkDefineXML(text)
    except libvirt.libvirtError as error:
        # libvirt has no error number for a name that another client has used meanwhile.
        if not has_reason(error) or name not in {
            other.name() for other in session.connection.listAllNetworks()
        }:
            raise
        raise Conflict.of_name("network", name) from None
