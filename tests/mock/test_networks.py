from collections.abc import Callable

import pytest

from simplestack import (
    Conflict,
    EntityNotFound,
    Guest,
    InvalidArguments,
    NetworkCreate,
    NetworkInterfaceCreate,
)
from simplestack.mock import MockSession
from simplestack.mock.hooks import interfaces, networks

TRUNK = "Pool network"


def test_a_vlan_network_is_made_and_can_be_joined(session: MockSession, running: Guest) -> None:
    wanted = NetworkCreate(
        name="vlan42", description="Tenants", from_network=TRUNK, vlan=42, other_config={"owner": "x"}
    )
    made = networks.network_vlan_create(session, wanted)
    assert networks.network_info(session, made.id) == made
    assert networks.network_list(session)[-1] == made
    assert (made.name_label, made.name_description, made.bridge) == ("vlan42", "Tenants", "br0.42")
    assert made.other_config == {"owner": "x"}
    for named in (made.id, made.name_label):
        joined = interfaces.network_interface_create(
            session, running.id, NetworkInterfaceCreate(network=named)
        )
        assert joined.network == "vlan42"


@pytest.mark.parametrize(
    ("wanted", "error", "message"),
    [
        (NetworkCreate(name="new", from_network="none", vlan=5), EntityNotFound, "Network:none"),
        (NetworkCreate(name="taken", from_network=TRUNK, vlan=5), Conflict, "'taken'"),
        (NetworkCreate(name="new", from_network=TRUNK, vlan=4), Conflict, "VLAN 4"),
        (NetworkCreate(name="new", from_network="taken", vlan=4), Conflict, "VLAN 4"),
        (
            NetworkCreate(name="new", from_network=TRUNK, vlan=5, other_config={"a": "x" * 5000}),
            InvalidArguments,
            "5001 characters",
        ),
    ],
)
def test_a_network_that_cannot_be_made_leaves_none_behind(
    session: MockSession, wanted: NetworkCreate, error: type[Exception], message: str
) -> None:
    networks.network_vlan_create(session, NetworkCreate(name="taken", from_network=TRUNK, vlan=4))
    before = networks.network_list(session)
    with pytest.raises(error, match=message):
        networks.network_vlan_create(session, wanted)
    assert networks.network_list(session) == before


def test_the_same_vlan_on_another_interface_is_another_network(session: MockSession) -> None:
    networks.network_vlan_create(session, NetworkCreate(name="one", from_network=TRUNK, vlan=4))
    networks.network_vlan_create(session, NetworkCreate(name="two", from_network="Storage network", vlan=4))
    assert len(networks.network_list(session)) == 4


def test_the_number_of_networks_is_bounded(connect: Callable[..., MockSession]) -> None:
    session = connect(max_networks=2)
    with pytest.raises(Conflict, match="no more networks"):
        networks.network_vlan_create(session, NetworkCreate(name="x", from_network=TRUNK, vlan=1))
