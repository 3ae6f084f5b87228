"""Networks on VLANs of a real Open vSwitch."""

import os
import signal
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing

import libvirt
import pytest

from simplestack import (
    Conflict,
    Credentials,
    EntityNotFound,
    InvalidArguments,
    Network,
    NetworkCreate,
    OperationNotSupported,
    SimplestackError,
    Target,
)
from simplestack.identity.accounts import hash_password
from simplestack_kvm import session as sessions
from simplestack_kvm.errors import translate
from simplestack_kvm.hooks.networks import network_info, network_list, network_vlan_create
from simplestack_kvm.libvirtd.documents import parse_document
from simplestack_kvm.libvirtd.session import KvmSession
from simplestack_kvm.settings import KvmSettings

from .conftest import require_libvirtd
from .counterparts import libvirtd as counterpart
from .counterparts.libvirtd import Libvirtd
from .interference import after
from .switches import BRIDGE, TRUNK, define_trunk
from .test_guests import round_trips

PATIENCE_SECONDS = 60
PRIVATE = "</name>,<!--]]>&amp;'\"%41 {urn:x}y"

Until = Callable[[Callable[[], bool], float, str], None]


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


def wanted(**fields: object) -> NetworkCreate:
    return NetworkCreate(**{"name": "customer-42", "from_network": TRUNK, "vlan": 42, **fields})  # type: ignore[arg-type]  # any field of it


def definitions(session: KvmSession) -> dict[str, tuple[str, bool, bool]]:
    """Return all networks of the host, as they are defined."""
    return {
        network.name(): (network.XMLDesc(), bool(network.isActive()), bool(network.autostart()))
        for network in session.connection.listAllNetworks()
    }


def error_of(action: Callable[[], object]) -> SimplestackError:
    """Return what a client reads."""
    try:
        action()
    except NotImplementedError as error:
        return OperationNotSupported(str(error))
    except Exception as error:
        known = error if isinstance(error, SimplestackError) else translate(error)
        assert known is not None
        return known
    raise AssertionError("nothing failed")


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


def test_a_network_on_a_vlan_is_there_again_when_the_host_has_booted(until: Until) -> None:
    require_libvirtd()
    daemon = counterpart.start(network=False)
    try:
        (daemon.folder / "restart-libvirtd").touch()
        with closing(libvirt.open(daemon.uri)) as connection:
            define_trunk(connection)
            made = network_vlan_create(KvmSession(connection, KvmSettings(), Target("localhost")), wanted())
        # A host that boots has no state of libvirt's any more, but its definitions.
        for state in (daemon.folder / "run/libvirt/network").iterdir():
            state.unlink()
        pid = daemon.pid()
        os.kill(pid, signal.SIGKILL)
        until(lambda: is_restarted(daemon, pid), PATIENCE_SECONDS, "libvirtd is started again")
        with closing(libvirt.open(daemon.uri)) as connection:
            again = KvmSession(connection, KvmSettings(), Target("localhost"))
            until(lambda: made in network_list(again), PATIENCE_SECONDS, "the network is started again")
    finally:
        daemon.stop()


def is_restarted(daemon: Libvirtd, old_pid: int) -> bool:
    try:
        if daemon.pid() == old_pid:
            return False
        libvirt.open(daemon.uri).close()
    except (libvirt.libvirtError, AssertionError):
        return False
    return True


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
        with pytest.raises(Conflict, match=f"'customer-42' is on VLAN 42 of {BRIDGE}"):
            network_vlan_create(session, wanted(name="again", from_network=below))
    assert definitions(session) == before
    for fields in ({"vlan": 43}, {"from_network": "other trunk"}, {"vlan": 44, "from_network": "groups"}):
        network_vlan_create(session, wanted(name=f"fine {fields}", **fields))


def test_of_two_requests_at_once_for_one_vlan_one_gets_it(
    session: KvmSession, switched_libvirtd: Libvirtd
) -> None:
    started: list[Future[Network]] = []
    with (
        closing(libvirt.open(switched_libvirtd.uri)) as connection,
        ThreadPoolExecutor(1) as thread,
    ):
        other = KvmSession(connection, session.settings, session.target)

        def ask_for_the_same() -> None:
            started.append(thread.submit(network_vlan_create, other, wanted(name="second")))
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


def test_a_network_whose_libvirtd_dies_is_removed_on_a_new_connection(until: Until) -> None:
    require_libvirtd()
    daemon = counterpart.start(network=False)
    try:
        (daemon.folder / "restart-libvirtd").touch()
        settings = KvmSettings(
            transport="unix", socket=daemon.socket, accounts={"a": hash_password("secret")}
        )
        session = sessions.connect(Target("localhost"), Credentials("a", "secret"), settings)
        define_trunk(session.connection)
        before = definitions(session)
        pid = daemon.pid()
        with after("virNetworkDefineXML", lambda: os.kill(pid, signal.SIGKILL), nth=1):
            error = error_of(lambda: network_vlan_create(session, wanted()))
        assert "may be left" not in error.message
        until(lambda: is_restarted(daemon, pid), PATIENCE_SECONDS, "libvirtd is started again")
        with closing(libvirt.open(daemon.uri)) as connection:
            now = KvmSession(connection, settings, Target("localhost"))
            assert set(definitions(now)) == set(before)
        sessions.disconnect(session)
    finally:
        daemon.stop()


def test_a_list_of_networks_costs_one_call_for_each(session: KvmSession) -> None:
    before, count = round_trips(lambda: network_list(session)), len(network_list(session))
    for tag in range(1, 4):
        network_vlan_create(
            session, wanted(name=f"v{tag}", vlan=tag, description="x", other_config={"a": "b"})
        )
    assert round_trips(lambda: network_list(session)) == before + 3 == 1 + count + 3
