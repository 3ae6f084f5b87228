"""Networks on VLANs of a real Open vSwitch."""

import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing

import libvirt
import pytest

from simplestack import (
    Conflict,
    EntityNotFound,
    InvalidArguments,
    Network,
    OperationNotSupported,
)
from simplestack_kvm.hooks.networks import network_info, network_list, network_vlan_create
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.connection.session import KvmSession

from .counterparts.libvirtd import Libvirtd
from .interference import after
from .switches import BRIDGE, TRUNK, definitions, error_of, wanted
from .test_guests import round_trips

PRIVATE = "</name>,<!--]]>&amp;'\"%41 {urn:x}y"


@pytest.fixture
def session(switched_session: KvmSession) -> Iterator[KvmSession]:
    """Give a session on a libvirtd with Open vSwitch, and remove the networks that a test makes."""
    before = {network.UUIDString() for network in switched_session.connection.listAllNetworks()}
    yield switched_session
    for network in switched_session.connection.listAllNetworks():
        if network.UUIDString() not in before:
            if network.isActive():
                network.destroy()
            network.undefine()


def test_a_network_on_a_vlan_is_shown_as_it_was_asked_for(session: KvmSession) -> None:
    made = network_vlan_create(
        session, wanted(description="Customer 42", other_config={"owner": "Ann", "": "?"})
    )
    assert made == Network(
        id=made.id,
        name_label="customer-42",
        bridge=BRIDGE,
        name_description="Customer 42",
        other_config={
            "owner": "Ann",
            "": "?",
            "forward_mode": "bridge",
            "virtualport": "openvswitch",
            "vlan": "42",
        },
    )
    assert network_info(session, made.id) == network_info(session, made.name_label) == made
    assert made in network_list(session)
    document = parse_document(session.connection.networkLookupByUUIDString(made.id).XMLDesc())
    assert [tag.attrib for tag in document.iterfind("vlan/tag")] == [{"id": "42"}]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": "a/b"}, "slash"),
        ({"name": "../../../etc/passwd"}, "slash"),
        ({"name": ".."}, "only dots"),
        ({"name": "."}, "only dots"),
        ({"name": " "}, "only dots"),
        ({"name": "a\ufffeb"}, r"U\+FFFE"),
        ({"name": "a\uffffb"}, r"U\+FFFF"),
        ({"name": "é" * 124}, "at most 247 bytes"),
        ({"other_config": {"vlan": "7"}}, "'vlan'"),
        ({"other_config": {"forward_mode": "nat"}}, "'forward_mode'"),
        ({"other_config": {"key": "x" * 4094}}, "4097 characters"),
    ],
)
def test_what_libvirt_cannot_keep_is_rejected(
    session: KvmSession, fields: dict[str, object], reason: str
) -> None:
    before = definitions(session)
    with pytest.raises(InvalidArguments, match=reason):
        network_vlan_create(session, wanted(**fields))
    assert definitions(session) == before


@pytest.mark.parametrize(
    "name", ["<name><bridge name='x'>", "a&b;%41", "'\"<![CDATA[", "-x", "..a", "ünï \U0001f600", "x" * 247]
)
def test_a_name_is_kept_as_it_was_written(session: KvmSession, name: str) -> None:
    made = network_vlan_create(session, wanted(name=name))
    assert (made.name_label, made.bridge, made.other_config["vlan"]) == (name, BRIDGE, "42")
    assert network_info(session, made.id) == network_info(session, name) == made
    assert session.connection.networkLookupByName(name).autostart()


@pytest.mark.parametrize(
    "text",
    [
        "</metadata></network>",
        "a\x07\x00b\x1b[2J",
        "\r\n\t x ",
        "\ufffe\uffff",
        "%41%",
        "é\U0001f600",
        "]]>",
        PRIVATE,
    ],
)
def test_a_description_and_settings_are_kept_as_they_were_written(session: KvmSession, text: str) -> None:
    made = network_vlan_create(session, wanted(description=text, other_config={text: text}))
    assert (made.name_description, made.other_config[text]) == (text, text)
    # As an editor of definitions does.
    network = session.connection.networkLookupByUUIDString(made.id)
    session.connection.networkDefineXML(network.XMLDesc())
    assert network_info(session, made.id) == made
    assert len(made.other_config) == 4


def test_a_name_that_is_taken_is_a_conflict_and_its_owner_is_left_alone(session: KvmSession) -> None:
    session.connection.networkDefineXML("<network><name>customer-42</name><title>Theirs</title></network>")
    before = definitions(session)
    with pytest.raises(Conflict, match="has the name 'customer-42'"):
        network_vlan_create(session, wanted())
    assert definitions(session) == before


def test_a_name_that_another_client_takes_meanwhile_stays_its_own(
    session: KvmSession, switched_libvirtd: Libvirtd
) -> None:
    theirs = "<network><name>customer-42</name><bridge name='theirs'/></network>"

    def take() -> None:
        with closing(libvirt.open(switched_libvirtd.uri)) as connection, ThreadPoolExecutor(1) as thread:
            thread.submit(lambda: connection.networkDefineXML(theirs).create()).result()

    with after("virConnectListAllNetworks", take, nth=1), pytest.raises(Conflict, match="'customer-42'"):
        network_vlan_create(session, wanted())
    assert network_info(session, "customer-42").bridge == "theirs"


@pytest.mark.parametrize("is_active", [True, False])
def test_a_vlan_that_another_network_of_the_bridge_is_on_is_a_conflict(
    session: KvmSession, is_active: bool
) -> None:
    first = network_vlan_create(session, wanted())
    if not is_active:
        session.connection.networkLookupByUUIDString(first.id).destroy()
    before = definitions(session)
    for below in (TRUNK, "customer-42") if is_active else (TRUNK,):
        with pytest.raises(Conflict, match="'customer-42' already uses VLAN 42"):
            network_vlan_create(session, wanted(name="again", from_network=below))
    assert definitions(session) == before
    for fields in ({"vlan": 43}, {"from_network": "other trunk"}, {"vlan": 44, "from_network": "groups"}):
        network_vlan_create(session, wanted(name=f"fine {fields}", **fields))


@pytest.mark.parametrize("below", [TRUNK, "groups"])
def test_of_two_requests_at_once_for_one_vlan_one_gets_it(
    session: KvmSession, switched_libvirtd: Libvirtd, below: str
) -> None:
    started: list[Future[Network]] = []
    with (
        closing(libvirt.open(switched_libvirtd.uri)) as connection,
        ThreadPoolExecutor(1) as thread,
    ):
        other = KvmSession(connection, session.settings, session.target)

        def ask_for_the_same() -> None:
            started.append(
                thread.submit(network_vlan_create, other, wanted(name="second", from_network=below))
            )
            wait(started, 1)  # it would be done by then, if nothing kept it waiting

        with after("virConnectListAllNetworks", ask_for_the_same, nth=1):
            network_vlan_create(session, wanted())
        with pytest.raises(Conflict, match="VLAN 42"):
            started[0].result(30)


@pytest.mark.parametrize("below", ["linux", "isolated"])
def test_a_vlan_of_a_bridge_that_is_not_of_open_vswitch_is_not_supported(
    session: KvmSession, below: str
) -> None:
    before = definitions(session)
    error = error_of(lambda: network_vlan_create(session, wanted(from_network=below)))
    assert isinstance(error, OperationNotSupported)
    assert f"network '{below}' is not on Open vSwitch" in error.message
    assert definitions(session) == before


@pytest.mark.parametrize("below", ["not there", "stopped", str(uuid.UUID(int=7)), "../x", "a\ufffe"])
def test_a_vlan_of_a_network_that_is_not_there_is_not_found(session: KvmSession, below: str) -> None:
    before = definitions(session)
    with pytest.raises(EntityNotFound, match="Network:"):
        network_vlan_create(session, wanted(from_network=below))
    assert definitions(session) == before


def test_a_list_of_networks_costs_one_call_for_each(session: KvmSession) -> None:
    before, count = round_trips(lambda: network_list(session)), len(network_list(session))
    for tag in range(1, 4):
        network_vlan_create(
            session, wanted(name=f"v{tag}", vlan=tag, description="x", other_config={"a": "b"})
        )
    assert round_trips(lambda: network_list(session)) == before + 3 == 1 + count + 3


def test_a_network_that_cannot_be_started_with_the_host_is_removed_again(
    session: KvmSession, switched_libvirtd: Libvirtd
) -> None:
    before = definitions(session)
    links = switched_libvirtd.folder / "etc-libvirt/qemu/networks/autostart"
    links.mkdir(exist_ok=True)
    (links / "customer-42.xml").mkdir()  # where libvirt makes a link
    error = error_of(lambda: network_vlan_create(session, wanted()))
    (links / "customer-42.xml").rmdir()
    assert str(links) not in error.message
    assert "may be left" not in error.message
    assert definitions(session) == before
