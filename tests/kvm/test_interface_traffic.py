"""What network interfaces let through: locks, links and rates, of real guests, too."""

import subprocess
from collections.abc import Callable

import libvirt
import pytest
from msgspec.structs import replace as changed

from simplestack import (
    Busy,
    Conflict,
    GuestCreate,
    InvalidArguments,
    NetworkInterfaceCreate,
    NetworkInterfaceUpdate,
    NewNetworkInterface,
    OperationNotSupported,
)
from simplestack_kvm.hooks.guests import guest_delete, guest_info
from simplestack_kvm.hooks.guests_create import guest_create
from simplestack_kvm.hooks.interfaces import (
    network_interface_create,
    network_interface_delete,
    network_interface_list,
    network_interface_update,
)
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.connection.session import KvmSession

from .counterparts.libvirtd import Libvirtd
from .domains import foreign
from .interference import after
from .nics import INACTIVE, interfaces, nic, update
from .test_guest_life import answers
from .test_guests import round_trips

CONFIG = libvirt.VIR_DOMAIN_AFFECT_CONFIG
PAUSED = libvirt.VIR_DOMAIN_START_PAUSED
BOOT_SECONDS = 90

Until = Callable[[Callable[[], bool], float, str], None]


def test_a_rate_is_in_both_directions_and_goes_with_the_guest_into_its_next_start(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    with foreign(session.connection, nic(libvirtd.network)) as domain:
        assert update(session, domain, ratelimit=8_192_001).ratelimit == 8_192_000 + 8192
        text = domain.XMLDesc(INACTIVE)
        assert "<inbound average='1001' peak='1001'/>" in text
        assert "<outbound average='1001'/>" in text
        assert update(session, domain, active=False).ratelimit == 8_200_192
        for nothing in (0, False, None):
            update(session, domain, ratelimit=8192)
            assert update(session, domain, ratelimit=nothing).ratelimit is None
        assert "bandwidth" not in domain.XMLDesc(INACTIVE)


def test_a_rate_that_the_host_cannot_set_changes_nothing(
    session: KvmSession, libvirtd: Libvirtd, other_network: str
) -> None:
    has_sfq = subprocess.run(
        ["tc", "qdisc", "add", "dev", libvirtd.bridge, "root", "sfq"], check=False, capture_output=True
    )
    if has_sfq.returncode == 0:
        pytest.skip("this kernel limits rates")
    with foreign(session.connection, nic(libvirtd.network)) as domain:
        domain.createWithFlags(PAUSED)
        before = [domain.XMLDesc(flags) for flags in (0, INACTIVE)]
        with pytest.raises(OperationNotSupported, match="sch_sfq"):
            update(session, domain, ratelimit=8_192_000, network=other_network, active=False)
        assert [domain.XMLDesc(flags) for flags in (0, INACTIVE)] == before
        device = parse_document(before[0]).find("devices/interface/target")
        assert device is not None
        shown = subprocess.run(
            ["tc", "qdisc", "show", "dev", device.get("dev", "")], check=True, capture_output=True, text=True
        )
        assert "htb" not in shown.stdout


@pytest.mark.parametrize("running", [False, True])
def test_an_interface_is_locked_to_its_addresses_and_unlocked(
    session: KvmSession, libvirtd: Libvirtd, running: bool
) -> None:
    with foreign(session.connection, nic(libvirtd.network)) as domain:
        if running:
            domain.createWithFlags(PAUSED)
        (before,) = network_interface_list(session, domain.UUIDString())
        assert before.locking_mode == "network_default"
        addresses = ["192.0.2.7", "192.0.2.8"]
        locked = update(session, domain, locking_mode="locked", ipv4_allowed=addresses)
        assert locked == changed(before, locking_mode="locked", ipv4_allowed=addresses)
        for flags in (0, INACTIVE):
            assert "filter='clean-traffic'" in domain.XMLDesc(flags)
        off = update(session, domain, locking_mode="disabled")
        assert off == changed(locked, locking_mode="disabled")
        none = update(session, domain, locking_mode="locked", ipv4_allowed=[])
        assert none == changed(before, locking_mode="locked")
        for flags in (0, INACTIVE):
            assert "filter='no-other-l2-traffic'" in domain.XMLDesc(flags), "no address, but traffic"
        assert update(session, domain, locking_mode="network_default") == before
        for flags in (0, INACTIVE):
            assert "filterref" not in domain.XMLDesc(flags)
        for changes, error in (
            ({"ipv4_allowed": ["192.0.2.7"]}, InvalidArguments),
            ({"locking_mode": "locked", "ipv4_allowed": ["192.0.2.7'/>"]}, InvalidArguments),
            ({"locking_mode": "locked", "ipv4_allowed": ["192.0.2.0/24"]}, InvalidArguments),
            (
                {"locking_mode": "locked", "ipv4_allowed": [f"10.0.0.{n}" for n in range(65)]},
                InvalidArguments,
            ),
            ({"locking_mode": "locked", "ipv6_allowed": ["2001:db8::7"]}, NotImplementedError),
            ({"locking_mode": "unlocked"}, NotImplementedError),
        ):
            with pytest.raises(error):
                update(session, domain, **changes)
        assert network_interface_list(session, domain.UUIDString()) == [before]


def test_what_the_running_guest_rejects_is_not_in_its_definition(
    session: KvmSession, libvirtd: Libvirtd, other_network: str
) -> None:
    with foreign(session.connection, nic(libvirtd.network)) as domain:
        domain.createWithFlags(PAUSED)
        network = session.connection.networkLookupByName(other_network)
        with (
            after("virDomainIsActive", network.destroy, nth=2),
            pytest.raises(Conflict, match="not active"),
        ):
            update(session, domain, active=False, network=other_network)
        (shown,) = network_interface_list(session, domain.UUIDString())
        assert (shown.network, shown.active) == (libvirtd.network, True)
        domain.destroy()
        assert network_interface_list(session, domain.UUIDString()) == [shown]


def is_answered(address: str, expected: bool) -> Callable[[], bool]:
    """Give a condition: whether a guest's web server answers, as expected."""
    return lambda: answers(address) is expected


def test_what_a_guest_sends_depends_on_its_lock_and_its_link(
    session: KvmSession, libvirtd: Libvirtd, guest_volume: str, until: Until
) -> None:
    wanted = GuestCreate(
        name="locked",
        memory=128,
        image=guest_volume,
        storage=libvirtd.pool,
        network_interfaces=[NewNetworkInterface(network=libvirtd.network)],
        start=True,
    )
    made = guest_create(session, wanted)
    domain = session.connection.lookupByUUIDString(made.id)
    try:
        until(lambda: answers(guest_info(session, made.id).ip), BOOT_SECONDS, "the guest answers")
        address = str(guest_info(session, made.id).ip)
        (interface,) = network_interface_list(session, made.id)
        for changes, is_heard in (
            ({"locking_mode": "disabled"}, False),
            ({"locking_mode": "locked", "ipv4_allowed": [address]}, True),
            ({"ipv4_allowed": ["192.0.2.7"]}, False),
            ({"ipv4_allowed": ["192.0.2.7", address]}, True),
            ({"ipv4_allowed": []}, False),
            ({"locking_mode": "network_default"}, True),
            ({"active": False}, False),
            ({"active": True}, True),
        ):
            network_interface_update(session, made.id, interface.id, NetworkInterfaceUpdate(**changes))
            until(is_answered(address, is_heard), 20, f"{changes}")
    finally:
        domain.destroy()
        guest_delete(session, made.id)


def test_a_guest_with_a_system_gains_and_loses_an_interface_while_it_runs(
    session: KvmSession, libvirtd: Libvirtd, guest_volume: str, other_network: str, until: Until
) -> None:
    wanted = GuestCreate(name="nics", memory=128, image=guest_volume, storage=libvirtd.pool, start=True)
    made = guest_create(session, wanted)
    domain = session.connection.lookupByUUIDString(made.id)
    try:
        added = network_interface_create(session, made.id, NetworkInterfaceCreate(network=libvirtd.network))
        assert (added.network, added.active, added.number) == (libvirtd.network, True, "0")
        assert network_interface_list(session, made.id) == [added]

        def lets_go() -> bool:
            try:
                network_interface_delete(session, made.id, added.id)
            except Busy:  # it still boots
                return False
            return True

        until(lets_go, BOOT_SECONDS, "the guest releases the interface")
        assert interfaces(domain) == interfaces(domain, 0) == []
        again = network_interface_create(session, made.id, NetworkInterfaceCreate(network=other_network))
        network_interface_delete(session, made.id, again.id)
        assert interfaces(domain) == interfaces(domain, 0) == []
    finally:
        domain.destroy()
        guest_delete(session, made.id)


def test_interfaces_cost_the_same_few_calls_however_many_there_are(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    with foreign(session.connection, nic(libvirtd.network), machine="pc") as domain:
        guest_id = domain.UUIDString()
        create = NetworkInterfaceCreate(network=libvirtd.network)
        costs = [
            (
                round_trips(lambda: network_interface_list(session, guest_id)),
                round_trips(lambda: network_interface_create(session, guest_id, create)),
                round_trips(lambda: update(session, domain, active=False, ratelimit=8192)),
                round_trips(lambda: update(session, domain, active=True, ratelimit=0)),
            )
            for _ in range(2)
        ]
        assert costs[0] == costs[1]
        assert costs[0][0] == 2
        assert max(costs[0]) <= 16, costs
