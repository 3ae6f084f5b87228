"""MAC addresses that clients choose for network interfaces."""

import pytest

from simplestack import Conflict, InvalidArguments
from simplestack_vmware.hooks.interfaces import network_interface_delete
from simplestack_vmware.hooks.power import guest_start
from simulators.vsphere.faults import Rule
from support.threads import in_threads
from support.vsphere import Host

from .conftest import Connect
from .copied import MANUAL, choose_mac
from .interference import before_call
from .test_disks import id_of
from .test_guest_update import changed
from .test_interfaces import FREE, card_with, cards, create


def test_a_mac_of_another_guest_is_rejected(host: Host, log_in: Connect) -> None:
    session = log_in(host)
    create(session, id_of(host, "vm-2"), "VM Network", FREE)
    host.calls()
    for mac in (FREE, FREE.upper(), cards(host, "vm-2")[0].macAddress):
        with pytest.raises(Conflict, match=f"guest 'vm-2' already has an interface {mac.lower()}"):
            create(session, id_of(host), "VM Network", mac)
    assert changed(host) == {}


def test_a_mac_that_another_guest_gets_meanwhile_is_given_back(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    before = [card.macAddress for card in cards(host)]
    before_call(host, "ReconfigVM_Task", lambda: choose_mac(host, "vm-2"))
    with pytest.raises(Conflict, match=f"guest 'vm-2' already has an interface {MANUAL}") as rejected:
        create(session, guest, "VM Network", MANUAL)
    assert [card.macAddress for card in cards(host)] == before
    assert "failed, too" not in rejected.value.message


def test_a_mac_that_cannot_be_given_back_is_named_in_the_error(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    before_call(host, "ReconfigVM_Task", lambda: choose_mac(host, "vm-2"))
    host.simulator.faults.add(
        Rule(method="ReconfigVM_Task", after=1, effect="fail task", fault="InvalidState")
    )
    with pytest.raises(Conflict, match=f"; removing interface {MANUAL} failed, too$"):
        create(session, guest, "VM Network", MANUAL)


def test_of_two_guests_that_get_one_mac_at_once_at_most_one_has_it(host: Host, log_in: Connect) -> None:
    session = log_in(host)
    guests = [id_of(host, name) for name in ("vm-1", "vm-2")]
    for _ in range(4):
        with in_threads(2) as start:
            ended = [start(create, session, guest, "VM Network", FREE) for guest in guests]
        made = [each.result() for each in ended if each.exception() is None]
        assert all(isinstance(each.exception(), Conflict | None) for each in ended)
        having = [
            name for name in ("vm-1", "vm-2") if FREE in [card.macAddress for card in cards(host, name)]
        ]
        assert len(having) == len(made) <= 1
        for name in having:
            network_interface_delete(session, id_of(host, name), FREE)


@pytest.mark.parametrize(
    ("mac", "words"),
    [
        ("00:50:56:40:00:00", "generates 00:50:56:40:00:00 itself"),
        ("00:50:56:8F:00:01", "generates 00:50:56:8f:00:01 itself"),
        ("00:0c:29:aa:00:01", "generates"),
    ],
)
def test_a_mac_that_no_guest_can_start_with_is_rejected(
    host: Host, log_in: Connect, mac: str, words: str
) -> None:
    with pytest.raises(InvalidArguments, match=words):
        create(log_in(host), id_of(host), "VM Network", mac)
    assert changed(host) == {}


@pytest.mark.parametrize("mac", ["00:50:56:00:00:00", "00:50:56:3F:FF:FF", "02:00:00:00:00:01"])
def test_a_guest_starts_with_a_mac_that_was_asked_for(host: Host, log_in: Connect, mac: str) -> None:
    session, guest = log_in(host), id_of(host)
    assert create(session, guest, "VM Network", mac).id == mac.lower()
    assert card_with(host, mac.lower()).addressType == "manual"
    guest_start(session, guest)
