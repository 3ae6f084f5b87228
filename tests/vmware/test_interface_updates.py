"""Changes of network interfaces: network, link and rate."""

from typing import Any

import pytest
from pyVmomi import vim

from simplestack import InvalidArguments
from simplestack_vmware.hooks.interfaces import network_interface_list
from simplestack_vmware.hooks.power import guest_start
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simulators.vsphere.data import copy
from simulators.vsphere.schema import Long
from support.vsphere import Host

from .conftest import Connect
from .test_disks import id_of
from .test_guest_update import changed
from .test_interfaces import Card, add_twin, card_with, cards, update


def test_an_update_keeps_what_it_does_not_name(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    with host.simulator.database.lock:
        old = cards(host)[0]
        card: Any = vim.vm.device.VirtualE1000(**{name: getattr(old, name) for name in KEPT})
        card.resourceAllocation = Card.ResourceAllocation(
            limit=Long(80), reservation=Long(10), share=vim.SharesInfo(shares=77, level="custom")
        )
        card.connectable.allowGuestControl = False
        hardware = host.vm()["config"].hardware
        hardware.device = [card if each is old else each for each in hardware.device]
        host.vm().touch()
    before = copy(cards(host)[0])
    update(session, guest, before.macAddress, active=False, ratelimit=50_000_000)
    after: Any = cards(host)[0]
    assert {type(after)} == {vim.vm.device.VirtualE1000}
    assert (after.macAddress, after.addressType) == (before.macAddress, before.addressType)
    assert after.backing.deviceName == before.backing.deviceName
    assert after.connectable.allowGuestControl is False
    allocation = after.resourceAllocation
    assert (allocation.limit, allocation.reservation) == (50, 10)
    assert (allocation.share.shares, allocation.share.level) == (77, "custom")


KEPT = (
    "key",
    "deviceInfo",
    "backing",
    "connectable",
    "controllerKey",
    "unitNumber",
    "addressType",
    "macAddress",
)


def test_an_interface_moves_and_is_switched_off_while_the_guest_runs(
    vcenter: Host, session: VmwareSession
) -> None:
    guest = id_of(vcenter)
    guest_start(session, guest)
    first = network_interface_list(session, guest)[0]
    moved = update(session, guest, first.id, network="production", active=False)
    assert (moved.network, moved.active, moved.mac) == ("production", False, first.mac)
    card = card_with(vcenter, first.mac)
    assert (card.connectable.connected, card.connectable.startConnected) == (False, False)
    assert update(session, guest, first.id, network="VM Network", active=True) == first


def test_a_rate_is_whole_mbit(
    vcenter: Host, session: VmwareSession, caplog: pytest.LogCaptureFixture
) -> None:
    guest = id_of(vcenter)
    _, second = network_interface_list(session, guest)  # on a distributed switch
    assert update(session, guest, second.id, ratelimit=128_000_000).ratelimit == 128_000_000
    assert card_with(vcenter, second.mac).resourceAllocation.limit == 128
    for nothing in (0, None, False):
        assert update(session, guest, second.id, ratelimit=5_000_000).ratelimit == 5_000_000
        assert update(session, guest, second.id, ratelimit=nothing) == second
    assert caplog.text == ""
    vcenter.calls()
    for rate, advice in ((8_192_000, "use 8000000 or 9000000$"), (999_999, "use 1000000$")):
        with pytest.raises(InvalidArguments, match=f"{rate} bit/s is not a whole number of Mbit/s.*{advice}"):
            update(session, guest, second.id, ratelimit=rate, active=False)
    assert vcenter.calls().total() == 0


def test_a_rate_that_vsphere_does_not_enforce_is_stored_with_a_warning(
    vcenter: Host, session: VmwareSession, caplog: pytest.LogCaptureFixture
) -> None:
    guest = id_of(vcenter)
    first, second = network_interface_list(session, guest)
    assert update(session, guest, first.id, ratelimit=5_000_000).ratelimit == 5_000_000
    assert "has no effect" in caplog.text
    twin, _ = add_twin(vcenter, enforces_rates=False)
    update(session, guest, second.id, ratelimit=5_000_000)
    caplog.clear()
    update(session, guest, second.id, network=twin.id)
    assert "has no effect" in caplog.text


@pytest.mark.parametrize(
    "changes", [{"locking_mode": "locked"}, {"ipv4_allowed": ["192.0.2.1"]}, {"ipv6_allowed": []}]
)
def test_vsphere_has_no_locking_modes(host: Host, log_in: Connect, changes: dict[str, Any]) -> None:
    session, guest = log_in(host), id_of(host)
    mac = cards(host)[0].macAddress
    host.calls()
    with pytest.raises(NotImplementedError, match="leave out `locking_mode`"):
        update(session, guest, mac, active=False, **changes)
    assert host.calls().total() == 0


def test_an_update_of_nothing_changes_nothing(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    (first, *_) = network_interface_list(session, guest)
    host.calls()
    assert update(session, guest, first.id) == first
    assert changed(host) == {}
