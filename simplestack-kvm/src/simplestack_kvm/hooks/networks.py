"""Networks: the active virtual networks of libvirt. libvirt cannot create VLANs."""

import logging

from simplestack import HypervisorError, Network, hookimpl
from simplestack_kvm.entities import network_entity
from simplestack_kvm.errors import has_reason
from simplestack_kvm.libvirtd.documents import parse_document
from simplestack_kvm.libvirtd.lookups import find_network
from simplestack_kvm.libvirtd.session import KvmSession
from simplestack_kvm.sdk import libvirt

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
