"""Network interfaces on a real libvirtd: whose traffic changes, and what is left alone."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import replace

import libvirt
import pytest
from msgspec.structs import replace as changed

from simplestack import (
    Busy,
    Conflict,
    EntityNotFound,
    InvalidState,
    NetworkInterface,
    NetworkInterfaceCreate,
    NetworkInterfaceUpdate,
)
from simplestack_kvm.hooks.interfaces import (
    network_interface_create,
    network_interface_delete,
    network_interface_info,
    network_interface_list,
    network_interface_update,
)
from simplestack_kvm.libvirtd.connection.abandoned import Abandoned
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.networks import plugging

from .counterparts.libvirtd import Libvirtd
from .domains import foreign
from .interference import after
from .nics import INACTIVE, MAC, interfaces, nic, update

CONFIG = libvirt.VIR_DOMAIN_AFFECT_CONFIG
PAUSED = libvirt.VIR_DOMAIN_START_PAUSED
BOOT_SECONDS = 90

Until = Callable[[Callable[[], bool], float, str], None]


@pytest.fixture
def other(session: KvmSession, libvirtd: Libvirtd) -> Iterator[KvmSession]:
    """Give a session of another client."""
    with closing(libvirt.open(libvirtd.uri)) as connection:
        yield replace(session, connection=connection, abandoned=Abandoned())


def test_interfaces_that_simplestack_did_not_make_are_shown_as_they_are(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    pci = "<source><address type='pci' domain='0' bus='0xfe' slot='0' function='0'/></source>"
    macs = [f"52:54:00:00:00:0{number}" for number in range(6)]
    devices = (
        nic(
            libvirtd.network,
            macs[0],
            "<link state='down'/><bandwidth><outbound average='1000' peak='2000'/></bandwidth>",
        )
        + f"<interface type='bridge'><mac address='{macs[1]}'/><source bridge='br9'/></interface>"
        + f"<interface type='direct'><mac address='{macs[2]}'/><source dev='lo' mode='bridge'/></interface>"
        + f"<interface type='hostdev'><mac address='{macs[3]}'/>{pci}</interface>"
        + f"<interface type='user'><mac address='{macs[4]}'/></interface>"
        + nic(libvirtd.network, macs[5], "<filterref filter='clean-traffic'/>")
    )
    with foreign(session.connection, devices) as domain:
        listed = network_interface_list(session, domain.UUIDString())
        assert sorted(each.id for each in listed) == macs
        assert [each.number for each in listed] == ["0", "1", "2", "3", "4", "5"]
        shown = {each.id: (each.network, each.active, each.ratelimit, each.locking_mode) for each in listed}
        assert [shown[mac] for mac in macs] == [
            (libvirtd.network, False, 8_192_000, "network_default"),
            (None, True, None, "network_default"),
            (None, True, None, None),
            (None, True, None, None),
            (None, True, None, None),
            (libvirtd.network, True, None, None),
        ]
        for each in listed:
            assert network_interface_info(session, domain.UUIDString(), each.id.upper()) == each
        before = domain.XMLDesc(INACTIVE)
        for mac in macs[1:5]:
            with pytest.raises(NotImplementedError, match=r"type (bridge|direct|hostdev|user)"):
                network_interface_update(
                    session, domain.UUIDString(), mac, NetworkInterfaceUpdate(network=libvirtd.network)
                )
        with pytest.raises(NotImplementedError, match="type hostdev"):
            network_interface_update(
                session, domain.UUIDString(), macs[3], NetworkInterfaceUpdate(active=False)
            )
        with pytest.raises(Conflict, match="'clean-traffic', which Simplestack did not set"):
            network_interface_update(
                session, domain.UUIDString(), macs[5], NetworkInterfaceUpdate(locking_mode="disabled")
            )
        assert domain.XMLDesc(INACTIVE) == before


@pytest.mark.parametrize("running", [False, True])
def test_an_interface_changes_and_keeps_what_else_it_has(
    session: KvmSession, libvirtd: Libvirtd, other_network: str, running: bool
) -> None:
    more = "<alias name='ua-mine'/><boot order='1'/><filterref filter='clean-traffic'/><mtu size='1400'/>"
    neighbour = nic(libvirtd.network, "52:54:00:00:00:01", "<link state='down'/>")
    with foreign(session.connection, nic(libvirtd.network, more=more) + neighbour) as domain:
        if running:
            domain.createWithFlags(PAUSED)
        first, second = network_interface_list(session, domain.UUIDString())
        down = update(session, domain, active=False)
        assert down == changed(first, active=False)
        moved = update(session, domain, network=other_network, active=True)
        assert moved == changed(first, network=other_network)
        assert update(session, domain) == moved
        assert network_interface_list(session, domain.UUIDString()) == [moved, second]
        for flags in (0, INACTIVE):
            text = domain.XMLDesc(flags)
            assert all(mark in text for mark in ("ua-mine", "order='1'", "'clean-traffic'", "size='1400'"))
            assert text.count(f"network='{other_network}'") == 1
        if running:
            domain.destroy()
            assert network_interface_list(session, domain.UUIDString()) == [moved, second]


def test_a_guest_that_starts_while_its_interface_changes_has_the_change(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    with foreign(session.connection, nic(libvirtd.network)) as domain:
        with after("virDomainHasManagedSaveImage", lambda: domain.createWithFlags(PAUSED), nth=1):
            assert not update(session, domain, active=False).active
        assert all("<link state='down'/>" in domain.XMLDesc(flags) for flags in (0, INACTIVE))


def test_two_requests_at_once_change_an_interface_and_neither_is_lost(
    session: KvmSession, libvirtd: Libvirtd, other: KvmSession
) -> None:
    started: list[Future[NetworkInterface]] = []
    with foreign(session.connection, nic(libvirtd.network)) as domain, ThreadPoolExecutor(1) as executor:
        guest_id = domain.UUIDString()

        def lock() -> None:
            change = NetworkInterfaceUpdate(locking_mode="disabled")
            started.append(executor.submit(network_interface_update, other, guest_id, MAC, change))
            wait(started, 1)  # it would be done by then, if nothing kept it waiting

        # The definition was read, and has not been written.
        with after("virDomainGetXMLDesc", lock, nth=2):
            update(session, domain, active=False)
        assert started[0].result(30).locking_mode == "disabled"
        (shown,) = network_interface_list(session, guest_id)
        assert (shown.active, shown.locking_mode) == (False, "disabled")


@pytest.mark.parametrize("running", [False, True])
def test_an_address_that_is_taken_is_rejected(session: KvmSession, libvirtd: Libvirtd, running: bool) -> None:
    with foreign(session.connection, nic(libvirtd.network), machine="pc") as domain:
        if running:
            domain.createWithFlags(PAUSED)
        wanted = NetworkInterfaceCreate(network=libvirtd.network, mac=MAC.upper())
        with pytest.raises(Conflict):
            network_interface_create(session, domain.UUIDString(), wanted)
        with pytest.raises(EntityNotFound, match="Network"):
            network_interface_create(
                session, domain.UUIDString(), NetworkInterfaceCreate(network="no network")
            )
        assert interfaces(domain) == interfaces(domain, 0) == [MAC]


def test_an_address_that_another_client_adds_meanwhile_is_not_there_twice(
    session: KvmSession, other: KvmSession, libvirtd: Libvirtd
) -> None:
    with foreign(session.connection) as domain, ThreadPoolExecutor(1) as executor:
        guest_id = domain.UUIDString()
        theirs = other.connection.lookupByUUIDString(guest_id)
        wanted = NetworkInterfaceCreate(network=libvirtd.network, mac=MAC)

        def add_theirs() -> None:
            text = nic(libvirtd.network, more="<alias name='ua-theirs'/>")
            executor.submit(theirs.attachDeviceFlags, text, CONFIG).result()

        with (
            after("virDomainIsPersistent", add_theirs, nth=1),
            pytest.raises(Conflict, match="already has an interface"),
        ):
            network_interface_create(session, guest_id, wanted)
        assert interfaces(domain) == [MAC]
        assert "ua-theirs" in domain.XMLDesc(INACTIVE)


def test_interfaces_with_one_address_are_listed_and_none_is_touched(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    with foreign(session.connection, nic(libvirtd.network) * 2) as domain:
        guest_id, before = domain.UUIDString(), domain.XMLDesc(INACTIVE)
        assert [each.id for each in network_interface_list(session, guest_id)] == [MAC, MAC]
        for action in (
            lambda: network_interface_info(session, guest_id, MAC),
            lambda: update(session, domain, active=False),
            lambda: network_interface_delete(session, guest_id, MAC),
        ):
            with pytest.raises(Conflict, match="several interfaces"):
                action()
        assert domain.XMLDesc(INACTIVE) == before


def test_a_guest_that_does_not_let_go_keeps_its_interface(
    session: KvmSession, libvirtd: Libvirtd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugging, "DETACH_SECONDS", 2.0)
    monkeypatch.setattr(plugging, "DETACH_AGAIN_SECONDS", 1.0)
    with foreign(session.connection, nic(libvirtd.network), machine="pc") as domain:
        domain.createWithFlags(PAUSED)
        with pytest.raises(Busy, match=f"does not release interface {MAC}"):
            network_interface_delete(session, domain.UUIDString(), MAC)
        assert interfaces(domain) == interfaces(domain, 0) == [MAC]
        domain.destroy()
        network_interface_delete(session, domain.UUIDString(), MAC)
        assert interfaces(domain) == []
        with pytest.raises(EntityNotFound, match="NetworkInterface"):
            network_interface_delete(session, domain.UUIDString(), MAC)


def test_a_guest_that_is_saved_keeps_its_interfaces(session: KvmSession, libvirtd: Libvirtd) -> None:
    with foreign(session.connection, nic(libvirtd.network)) as domain:
        domain.create()
        domain.managedSave(0)
        for action in (
            lambda: update(session, domain, active=False),
            lambda: network_interface_delete(session, domain.UUIDString(), MAC),
            lambda: network_interface_create(
                session, domain.UUIDString(), NetworkInterfaceCreate(network=libvirtd.network)
            ),
        ):
            with pytest.raises(InvalidState, match="PAUSED"):
                action()
        assert interfaces(domain) == [MAC]
