"""A pool as people use it: a control domain, ISO images of one name, a trunk, a guest on its way."""

from collections.abc import Iterator

import pytest

from simplestack import Busy, Conflict, InvalidArguments, InvalidState, NetworkCreate
from simplestack_xen.errors import translate
from simplestack_xen.hooks.guests import guest_delete, guest_info, guest_list
from simplestack_xen.hooks.media import media_info, media_mount
from simplestack_xen.hooks.networks import network_list, network_vlan_create
from simplestack_xen.hooks.power import guest_shutdown
from simplestack_xen.sdk import XenAPI
from simplestack_xen.xapi.session import XenSession
from simulators.xapi.seeding import live_in
from simulators.xapi.simulator import Simulator
from support.xapi import Pool, Trust, running_pool


@pytest.fixture
def pool(trust: Trust) -> Iterator[Pool]:
    simulator = Simulator(hosts=2, bonds=1, refuses_busy=True)
    live_in(simulator.database)
    with running_pool(trust, simulator) as made:
        yield made


def test_guests_are_listed_with_the_one_on_its_way_and_without_control_domains(
    pool: Pool, session: XenSession
) -> None:
    guests = {guest.name: guest for guest in guest_list(session, frozenset({"host", "hdd"}))}
    assert guests.keys() == {"vm-0", "vm-1", "vm-2"}
    moving = guest_info(session, pool.vm()["uuid"])
    assert (moving.state, moving.host) == ("STARTED", "xen-1")
    assert (guests["vm-0"].host, guests["vm-0"].hdd) == (moving.host, moving.hdd)


def test_a_guest_on_its_way_is_busy_and_stays_whole(pool: Pool, session: XenSession) -> None:
    guest, before = pool.vm()["uuid"], pool.counts()
    with pytest.raises(XenAPI.Failure) as busy:
        guest_shutdown(session, guest, force=False)
    assert isinstance(translate(busy.value), (Busy, Conflict))
    with pytest.raises(InvalidState):
        guest_delete(session, guest)
    assert pool.counts() == before


def test_an_iso_image_of_two_libraries_is_named_by_its_id(pool: Pool, session: XenSession) -> None:
    guest = pool.vm("vm-1")["uuid"]
    ids = [image["uuid"] for image in pool.all("VDI") if image["name_label"] == "debian.iso"]
    with pytest.raises(Conflict) as several:
        media_mount(session, guest, "debian.iso")
    assert all(identity in several.value.message for identity in ids)
    media_mount(session, guest, ids[1])
    assert media_info(session, guest).name == "debian.iso"
    media_mount(session, guest, "guest-tools.iso")
    assert media_info(session, guest).name == "guest-tools.iso"


def test_a_vlan_goes_over_the_bond_and_over_no_other_vlan(pool: Pool, session: XenSession) -> None:
    assert {"VLAN 100", "Bond 0"} <= {network.name_label for network in network_list(session)}
    below = NetworkCreate(
        name="new", description="", from_network="Pool-wide network 2", vlan=7, other_config={}
    )
    made = network_vlan_create(session, below)
    below_it = {vlan["tagged_PIF"] for vlan in pool.all("VLAN") if vlan["tag"] == 7}
    assert below_it == {bond["master"] for bond in pool.all("Bond")}, "the interface is part of the bond"
    assert made.name_label == "new"
    with pytest.raises(InvalidArguments, match="VLAN"):
        network_vlan_create(
            session,
            NetworkCreate(name="other", description="", from_network="VLAN 100", vlan=8, other_config={}),
        )
