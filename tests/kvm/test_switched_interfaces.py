"""Network interfaces on a real Open vSwitch: their VLANs, what changes while guests run, and what cannot."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import libvirt
import pytest
from msgspec.structs import replace as changed

from simplestack import (
    Conflict,
    GuestCreate,
    GuestImport,
    InvalidState,
    NetworkCreate,
    NetworkInterfaceCreate,
    NewNetworkInterface,
)
from simplestack.appliances import ApplianceInterface
from simplestack_kvm.hooks.guests import guest_delete
from simplestack_kvm.hooks.guests_create import guest_create
from simplestack_kvm.hooks.interfaces import (
    network_interface_create,
    network_interface_delete,
    network_interface_list,
)
from simplestack_kvm.hooks.networks import network_vlan_create
from simplestack_kvm.hooks.power import guest_shutdown
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.connection.session import KvmSession

from .appliances import appliance, ova
from .counterparts.libvirtd import Libvirtd
from .domains import foreign
from .host_state import host_state
from .nics import INACTIVE, MAC, nic, update
from .switches import BRIDGE, TRUNK
from .uploads import load

PAUSED = libvirt.VIR_DOMAIN_START_PAUSED
#: Two guests boot at once.
BOOT_SECONDS = 240
OTHER_MAC = "52:54:00:aa:bb:dd"
LOCKED = "<filterref filter='clean-traffic'><parameter name='SIMPLESTACK_MODE' value='locked'/></filterref>"

Until = Callable[[Callable[[], bool], float, str], None]


@pytest.fixture
def session(switched_session: KvmSession) -> Iterator[KvmSession]:
    """Give a session on a libvirtd with Open vSwitch, and with the networks v42 and v43 on its VLANs."""
    made = [
        network_vlan_create(switched_session, NetworkCreate(name=f"v{tag}", from_network=TRUNK, vlan=tag))
        for tag in (42, 43)
    ]
    yield switched_session
    for network in made:
        handle = switched_session.connection.networkLookupByUUIDString(network.id)
        handle.destroy()
        handle.undefine()


def tags(libvirtd: Libvirtd, domain: "libvirt.virDomain") -> list[str | None]:
    """Return the VLAN tag of each port of a running guest; None for one that is on no Open vSwitch."""
    ports = libvirtd.open_vswitch.ports(BRIDGE)
    devices = parse_document(domain.XMLDesc()).iterfind("devices/interface/target")
    return [ports.get(device.get("dev", "")) for device in devices]


def limits(libvirtd: Libvirtd, domain: "libvirt.virDomain") -> list[str | None]:
    """Return what Open vSwitch lets through to a running guest, in bit/s, and what from it, in kbit/s."""
    device = parse_document(domain.XMLDesc()).find("devices/interface/target")
    if device is None:
        return []
    vsctl, name = libvirtd.open_vswitch.vsctl, device.get("dev", "")
    qos = vsctl("get", "port", name, "qos").strip("[]")
    highest = vsctl("get", "qos", qos, "other_config:max-rate").strip('"') if qos else None
    return [highest, vsctl("get", "interface", name, "ingress_policing_rate")]


def descriptions(domain: "libvirt.virDomain") -> list[str]:
    return [domain.XMLDesc(flags) for flags in (0, INACTIVE)]


def test_the_ports_of_guests_have_the_tags_of_their_networks(
    session: KvmSession, switched_libvirtd: Libvirtd
) -> None:
    devices = nic("v42") + nic("v43", OTHER_MAC)
    with ExitStack() as domains:
        first = domains.enter_context(foreign(session.connection, devices))
        second = domains.enter_context(foreign(session.connection, nic("v42")))
        third = domains.enter_context(foreign(session.connection, nic(TRUNK)))
        for domain in (first, second, third):
            domain.createWithFlags(PAUSED)
        assert tags(switched_libvirtd, first) == ["42", "43"]
        assert tags(switched_libvirtd, second) == ["42"]
        assert tags(switched_libvirtd, third) == [""]
    assert switched_libvirtd.open_vswitch.ports(BRIDGE) == {}


@pytest.mark.parametrize("network", ["v42", TRUNK, "linux"])
def test_an_interface_on_a_bridge_of_the_host_is_shown_as_it_is_while_its_guest_runs(
    session: KvmSession, network: str
) -> None:
    with foreign(session.connection, nic(network)) as domain:
        (stopped,) = network_interface_list(session, domain.UUIDString())
        assert (stopped.network, stopped.locking_mode) == (network, "network_default")
        domain.createWithFlags(PAUSED)
        assert network_interface_list(session, domain.UUIDString()) == [stopped]


@pytest.mark.parametrize("running", [False, True])
@pytest.mark.parametrize("network", ["v42", TRUNK])
def test_a_link_and_a_rate_of_a_port_change(
    session: KvmSession, switched_libvirtd: Libvirtd, network: str, running: bool
) -> None:
    with foreign(session.connection, nic(network)) as domain:
        if running:
            domain.createWithFlags(PAUSED)
        (before,) = network_interface_list(session, domain.UUIDString())
        assert update(session, domain, active=False) == changed(before, active=False)
        slow = update(session, domain, active=True, ratelimit=8_192_000)
        assert slow == changed(before, ratelimit=8_192_000)
        assert limits(switched_libvirtd, domain) == (["8000000", "8000"] if running else [])
        assert update(session, domain, ratelimit=None) == before
        assert limits(switched_libvirtd, domain) == ([None, "0"] if running else [])
        if running:
            assert tags(switched_libvirtd, domain) == ["42" if network == "v42" else ""]
            domain.destroy()
            assert network_interface_list(session, domain.UUIDString()) == [before]


@pytest.mark.parametrize("running", [False, True])
def test_an_interface_is_added_on_a_vlan(
    session: KvmSession, switched_libvirtd: Libvirtd, running: bool
) -> None:
    with foreign(session.connection, nic("isolated"), machine="pc") as domain:
        if running:
            domain.createWithFlags(PAUSED)
        added = network_interface_create(session, domain.UUIDString(), NetworkInterfaceCreate(network="v43"))
        assert (added.network, added.active) == ("v43", True)
        if not running:
            domain.createWithFlags(PAUSED)
        assert tags(switched_libvirtd, domain) == [None, "43"]


@pytest.mark.parametrize("running", [False, True])
@pytest.mark.parametrize("network", ["v42", "groups"])
@pytest.mark.parametrize("mode", ["locked", "disabled"])
def test_a_port_that_cannot_be_filtered_is_not_locked(
    session: KvmSession, running: bool, mode: str, network: str
) -> None:
    with foreign(session.connection, nic(network)) as domain:
        if running:
            domain.createWithFlags(PAUSED)
        before = descriptions(domain)
        for changes in ({}, {"ipv4_allowed": ["192.0.2.7"]}, {"network": network}):
            with pytest.raises(NotImplementedError, match="Open vSwitch"):
                update(session, domain, locking_mode=mode, **changes)
        assert update(session, domain, locking_mode="network_default").locking_mode == "network_default"
        assert descriptions(domain) == before


def test_a_bridge_of_open_vswitch_that_is_no_network_of_libvirt_cannot_be_filtered(
    session: KvmSession,
) -> None:
    source = f"<source bridge='{BRIDGE}'/><virtualport type='openvswitch'/>"
    devices = f"<interface type='bridge'><mac address='{MAC}'/>{source}</interface>"
    with foreign(session.connection, devices) as domain:
        before = descriptions(domain)
        with pytest.raises(NotImplementedError, match="Open vSwitch"):
            update(session, domain, locking_mode="locked")
        with pytest.raises(NotImplementedError, match="on no network"):
            update(session, domain, network="v42")
        assert descriptions(domain) == before


@pytest.mark.parametrize("more", [LOCKED, "<filterref filter='no-mac-spoofing'/>"])
@pytest.mark.parametrize("running", [False, True])
def test_an_interface_with_a_filter_is_not_moved_to_where_it_would_have_none(
    session: KvmSession, running: bool, more: str
) -> None:
    with foreign(session.connection, nic("isolated", more=more)) as domain:
        if running:
            domain.createWithFlags(PAUSED)
        before = descriptions(domain)
        with pytest.raises(Conflict, match="Open vSwitch"):
            update(session, domain, network="v42")
        assert descriptions(domain) == before


def test_a_lock_is_lifted_and_the_interface_moved_in_one_request(session: KvmSession) -> None:
    with foreign(session.connection, nic("isolated", more=LOCKED)) as domain:
        moved = update(session, domain, network="v42", locking_mode="network_default")
        assert (moved.network, moved.locking_mode) == ("v42", "network_default")
        back = update(session, domain, network="isolated", locking_mode="disabled")
        assert (back.network, back.locking_mode) == ("isolated", "disabled")


def test_an_interface_of_a_stopped_guest_moves_between_vlans_and_bridges(
    session: KvmSession, switched_libvirtd: Libvirtd
) -> None:
    with foreign(session.connection, nic("isolated")) as domain:
        for network, tag in (("v42", "42"), ("v43", "43"), (TRUNK, ""), ("linux", None), ("v43", "43")):
            assert update(session, domain, network=network).network == network
            domain.createWithFlags(PAUSED)
            assert tags(switched_libvirtd, domain) == [tag]
            domain.destroy()


@pytest.mark.parametrize(
    ("network", "other"), [("v42", "v43"), ("v42", TRUNK), ("v42", "isolated"), ("isolated", "v42")]
)
def test_an_interface_of_a_running_guest_stays_where_libvirt_cannot_move_it(
    session: KvmSession, switched_libvirtd: Libvirtd, network: str, other: str
) -> None:
    with foreign(session.connection, nic(network)) as domain:
        domain.createWithFlags(PAUSED)
        before, port = descriptions(domain), tags(switched_libvirtd, domain)
        with pytest.raises(InvalidState, match="STOPPED"):
            update(session, domain, network=other)
        assert descriptions(domain) == before
        assert tags(switched_libvirtd, domain) == port
        assert update(session, domain, network=network).network == network


def test_an_interface_of_a_running_guest_moves_between_bridges_of_linux(session: KvmSession) -> None:
    with foreign(session.connection, nic("isolated")) as domain:
        domain.createWithFlags(PAUSED)
        (before,) = network_interface_list(session, domain.UUIDString())
        for network in ("linux", "isolated"):
            moved = update(session, domain, network=network, active=False)
            assert moved == changed(before, network=network, active=False)


def test_a_port_with_settings_of_its_own_keeps_its_network(session: KvmSession) -> None:
    own = "<virtualport type='openvswitch'><parameters profileid='theirs'/></virtualport>"
    with foreign(session.connection, nic("v42", more=own)) as domain:
        before = descriptions(domain)
        with pytest.raises(NotImplementedError, match="virtualport"):
            update(session, domain, network="isolated")
        assert descriptions(domain) == before


@pytest.mark.parametrize("mode", ["locked", "disabled"])
def test_an_appliance_with_a_lock_is_not_imported_to_where_it_would_have_none(
    session: KvmSession, switched_libvirtd: Libvirtd, mode: Literal["locked", "disabled"]
) -> None:
    before = host_state(session.connection, switched_libvirtd)
    for network in ("v42", "groups"):
        body = ova(appliance(interfaces=(ApplianceInterface(network=network, locking_mode=mode),)), {})
        with pytest.raises(NotImplementedError, match="Open vSwitch"):
            load(session, switched_libvirtd, body, None)
    assert host_state(session.connection, switched_libvirtd) == before
    body = ova(appliance(interfaces=(ApplianceInterface(network="v42"),)), {})
    made = load(session, switched_libvirtd, body, GuestImport(start=True))
    assert tags(switched_libvirtd, session.connection.lookupByUUIDString(made.id)) == ["42"]
    guest_shutdown(session, made.id, force=True)
    guest_delete(session, made.id)


def test_guests_reach_the_vlans_that_they_are_on_and_lose_them_with_their_ports(
    session: KvmSession, switched_libvirtd: Libvirtd, guest_image: Path, until: Until
) -> None:
    image = switched_libvirtd.pool_folder / "guest-image.qcow2"
    shutil.copyfile(guest_image, image)
    session.connection.storagePoolLookupByName(switched_libvirtd.pool).refresh()
    guests = [
        guest_create(
            session,
            GuestCreate(
                name=f"on {network}",
                memory=128,
                image=image.name,
                storage=switched_libvirtd.pool,
                network_interfaces=[NewNetworkInterface(network=network)],
                start=True,
            ),
        )
        for network in ("v42", "v43")
    ]
    try:
        macs = [network_interface_list(session, guest.id)[0].mac for guest in guests]
        # Each asks for an address, of everybody whom it reaches.
        wanted = set(zip(("42", "43"), macs, strict=True))
        seen = switched_libvirtd.open_vswitch.learned
        until(lambda: wanted <= seen(BRIDGE), BOOT_SECONDS, "the bridge has seen both guests")
        assert {pair for pair in seen(BRIDGE) if pair[1] in macs} == wanted
        domain = session.connection.lookupByUUIDString(guests[0].id)
        added = network_interface_create(session, guests[0].id, NetworkInterfaceCreate(network="v43"))
        assert tags(switched_libvirtd, domain) == ["42", "43"]
        for mac, left in ((macs[0], ["43"]), (added.mac, [])):
            network_interface_delete(session, guests[0].id, mac)
            assert tags(switched_libvirtd, domain) == left
        assert list(switched_libvirtd.open_vswitch.ports(BRIDGE).values()) == ["43"]
    finally:
        for guest in guests:
            session.connection.lookupByUUIDString(guest.id).destroy()
            guest_delete(session, guest.id)
        image.unlink()
