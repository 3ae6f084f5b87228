"""Networks on the real libvirtd."""

from collections.abc import Iterator

import pytest

from simplestack import EntityNotFound
from simplestack_kvm.entities import network_entity
from simplestack_kvm.hooks import networks
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.connection.session import KvmSession

from .counterparts.libvirtd import Libvirtd

BRIDGED = """
<network>
  <name>lan &lt;&amp;&gt; ünï</name><uuid>00000000-0000-4000-8000-000000000001</uuid><title>Office</title>
  <forward mode='bridge'/><bridge name='br0'/>
</network>"""
ISOLATED = "<network><name>alone</name><domain name='lab'/><ip address='10.0.0.1' prefix='24'/></network>"


@pytest.fixture
def inactive(session: KvmSession) -> Iterator[str]:
    network = session.connection.networkDefineXML("<network><name>test-inactive</name></network>")
    yield network.UUIDString()
    network.undefine()


def test_defect_17_networks_are_listed_and_shown(session: KvmSession, libvirtd: Libvirtd) -> None:
    (network,) = [found for found in networks.network_list(session) if found.name_label == libvirtd.network]
    assert network.bridge == libvirtd.bridge
    assert network.other_config["forward_mode"] == "nat"
    assert network.other_config["addresses"].startswith("192.168.")
    assert networks.network_info(session, network.id) == network
    assert networks.network_info(session, libvirtd.network) == network


def test_a_network_that_is_not_active_is_not_there(session: KvmSession, inactive: str) -> None:
    assert inactive not in {network.id for network in networks.network_list(session)}
    with pytest.raises(EntityNotFound):
        networks.network_info(session, inactive)


@pytest.mark.parametrize("network_id", ["", "none", "00000000-0000-4000-8000-000000000000", "a\0b", "../x"])
def test_an_unknown_network_is_not_found(session: KvmSession, network_id: str) -> None:
    with pytest.raises(EntityNotFound, match="Network:"):
        networks.network_info(session, network_id)


def test_networks_of_other_kinds_are_described() -> None:
    bridged = network_entity(parse_document(BRIDGED))
    assert (bridged.name_label, bridged.bridge) == ("lan <&> ünï", "br0")
    assert (bridged.name_description, bridged.other_config) == ("Office", {"forward_mode": "bridge"})
    isolated = network_entity(parse_document(ISOLATED))
    assert isolated.bridge is None
    assert isolated.other_config == {"forward_mode": "isolated", "domain": "lab", "addresses": "10.0.0.1/24"}
