"""Disks, network interfaces, the CD drive, tags."""

import re
from collections.abc import Callable

import pytest

from simplestack import (
    Conflict,
    DiskCreate,
    DiskUpdate,
    EntityNotFound,
    Guest,
    GuestUpdate,
    InsufficientStorage,
    InvalidArguments,
    NetworkInterfaceCreate,
    NetworkInterfaceUpdate,
)
from simplestack.mock import MockSession
from simplestack.mock.hooks import disks, guests, guests_update, interfaces, media, storages, tags
from support.known import known

NETWORK = "Pool network"
MAC = "02:00:00:AB:CD:EF"


def test_a_disk_is_added_shown_renamed_grown_and_removed(session: MockSession, running: Guest) -> None:
    made = disks.disk_create(session, running.id, DiskCreate(size=1.5, name="data"))
    assert (made.name, made.number, made.size) == ("data", "1", 1.5)
    assert disks.disk_info(session, running.id, made.id) == made
    assert disks.disk_list(session, running.id)[-1] == made
    assert guests.guest_info(session, running.id).hdd == 21.5
    renamed = disks.disk_update(session, running.id, made.id, DiskUpdate(name="more"))
    assert (renamed.name, renamed.size) == ("more", 1.5)
    grown = disks.disk_update(session, running.id, made.id, DiskUpdate(size=3))
    assert (grown.name, grown.size) == ("more", 3)
    disks.disk_delete(session, running.id, made.id)
    with pytest.raises(EntityNotFound, match="Disk:"):
        disks.disk_info(session, running.id, made.id)
    assert guests.guest_info(session, running.id) == running


def test_a_disk_does_not_shrink(session: MockSession, stopped: Guest) -> None:
    disk = disks.disk_list(session, stopped.id)[0]
    with pytest.raises(InvalidArguments, match=r"`size`: 19\.5 GiB is less than the disk has \(20 GiB\)"):
        disks.disk_update(session, stopped.id, disk.id, DiskUpdate(name="x", size=19.5))
    assert disks.disk_info(session, stopped.id, disk.id) == disk
    assert disks.disk_update(session, stopped.id, disk.id, DiskUpdate(size=20)) == disk


def test_a_disk_of_another_guest_is_not_found(session: MockSession, running: Guest, stopped: Guest) -> None:
    theirs = disks.disk_list(session, running.id)[0].id
    for call in (
        lambda: disks.disk_info(session, stopped.id, theirs),
        lambda: disks.disk_update(session, stopped.id, theirs, DiskUpdate(name="x")),
        lambda: disks.disk_delete(session, stopped.id, theirs),
    ):
        with pytest.raises(EntityNotFound, match=f"Disk:{theirs}"):
            call()
    assert len(disks.disk_list(session, running.id)) == 1


def test_a_device_that_was_freed_is_taken_again(session: MockSession, stopped: Guest) -> None:
    first, second = disks.disk_list(session, stopped.id)
    disks.disk_delete(session, stopped.id, first.id)
    made = disks.disk_create(session, stopped.id, DiskCreate(size=1))
    assert made.number == "0"
    assert disks.disk_list(session, stopped.id) == [made, second]


def test_an_interface_takes_the_device_that_was_freed_and_its_place_in_the_list(
    session: MockSession, running: Guest
) -> None:
    wanted = NetworkInterfaceCreate(network=NETWORK)
    (first,) = interfaces.network_interface_list(session, running.id)
    second = interfaces.network_interface_create(session, running.id, wanted)
    interfaces.network_interface_delete(session, running.id, first.id)
    made = interfaces.network_interface_create(session, running.id, wanted)
    assert made.number == first.number
    assert interfaces.network_interface_list(session, running.id) == [made, second]


def test_a_disk_without_a_name_is_named_after_its_guest_within_the_limit(
    session: MockSession, stopped: Guest
) -> None:
    named = disks.disk_create(session, stopped.id, DiskCreate(size=1))
    assert named.name == f"{stopped.name} disk 2"
    guests_update.guest_update(session, stopped.id, GuestUpdate(name="x" * 255))
    long = disks.disk_create(session, stopped.id, DiskCreate(size=1))
    assert long.name == "x" * 240 + " disk 3"


def test_storages_count_what_disks_take(session: MockSession, stopped: Guest) -> None:
    local, shared, _ = storages.storage_list(session)
    disks.disk_create(session, stopped.id, DiskCreate(size=2.5, storage_id=local.id))
    disks.disk_create(session, stopped.id, DiskCreate(size=4))
    after = storages.storage_list(session)
    assert after[0].allocated_space == known(local.allocated_space) + 2.5
    assert after[1].allocated_space == known(shared.allocated_space) + 4
    assert after[0].used_space == local.used_space


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        (DiskCreate(size=1, storage_id="none"), EntityNotFound),
        (DiskCreate(size=4000, storage_id="Local storage"), InsufficientStorage),
        (DiskCreate(size=1, storage_id="ISO library"), InvalidArguments),
    ],
)
def test_a_disk_that_cannot_be_made_takes_no_room(
    session: MockSession, stopped: Guest, wanted: DiskCreate, error: type[Exception]
) -> None:
    before = storages.storage_list(session)
    with pytest.raises(error):
        disks.disk_create(session, stopped.id, wanted)
    assert storages.storage_list(session) == before
    assert guests.guest_info(session, stopped.id) == stopped


def test_a_storage_can_be_filled_to_its_end_and_not_beyond(session: MockSession, stopped: Guest) -> None:
    local = storages.storage_list(session)[0]
    rest = known(local.size) - known(local.allocated_space)
    disks.disk_create(session, stopped.id, DiskCreate(size=rest, storage_id=local.id))
    with pytest.raises(InsufficientStorage, match="'Local storage' has 0 GiB free"):
        disks.disk_create(session, stopped.id, DiskCreate(size=0.001, storage_id=local.id))


def test_devices_of_a_guest_are_bounded_and_can_still_be_removed(connect: Callable[..., MockSession]) -> None:
    wide = connect()
    narrow = connect(max_disks=1, max_interfaces=1, max_snapshots=1, max_tags=1)
    guest = guests.guest_list(narrow)[1].id
    with pytest.raises(Conflict, match=r"no more disks: the limit in \[hypervisors.mock\] is 1"):
        disks.disk_create(narrow, guest, DiskCreate(size=1))
    with pytest.raises(Conflict, match="no more network interfaces"):
        interfaces.network_interface_create(narrow, guest, NetworkInterfaceCreate(network=NETWORK))
    with pytest.raises(Conflict, match="no more tags"):
        tags.tag_create(narrow, guest, "another")
    disks.disk_create(wide, guest, DiskCreate(size=1))
    disks.disk_delete(narrow, guest, disks.disk_list(narrow, guest)[0].id)
    assert len(disks.disk_list(narrow, guest)) == 2


def test_an_interface_is_added_with_a_new_mac(session: MockSession, running: Guest) -> None:
    made = interfaces.network_interface_create(
        session, running.id, NetworkInterfaceCreate(network="Storage network")
    )
    assert (made.id, made.number, made.network, made.active) == (made.mac, "1", "Storage network", True)
    assert interfaces.network_interface_info(session, running.id, made.id) == made
    assert interfaces.network_interface_list(session, running.id)[-1] == made


def test_defect_33_mac_addresses_have_six_octets(session: MockSession, running: Guest) -> None:
    made = interfaces.network_interface_create(session, running.id, NetworkInterfaceCreate(network=NETWORK))
    for interface in (made, *interfaces.network_interface_list(session, running.id)):
        assert re.fullmatch(r"[0-9a-f][02468ace](:[0-9a-f]{2}){5}", interface.mac)


def test_defect_33_ids_are_the_text_that_goes_into_urls(session: MockSession, stopped: Guest) -> None:
    first, second = disks.disk_list(session, stopped.id)
    for disk in (first, second):
        assert disks.disk_info(session, stopped.id, str(disk.id)) == disk
    (interface,) = interfaces.network_interface_list(session, stopped.id)
    assert interfaces.network_interface_info(session, stopped.id, str(interface.id)) == interface


def test_a_mac_is_found_in_any_letter_case(session: MockSession, running: Guest) -> None:
    made = interfaces.network_interface_create(
        session, running.id, NetworkInterfaceCreate(network=NETWORK, mac=MAC)
    )
    assert made.id == made.mac == MAC.lower()
    assert interfaces.network_interface_info(session, running.id, MAC) == made
    with pytest.raises(EntityNotFound, match="NetworkInterface:02-00-00-ab-cd-ef"):
        interfaces.network_interface_info(session, running.id, "02-00-00-ab-cd-ef")
    interfaces.network_interface_delete(session, running.id, MAC)
    assert len(interfaces.network_interface_list(session, running.id)) == 1


def test_a_mac_is_unique_in_its_world(session: MockSession, running: Guest, stopped: Guest) -> None:
    wanted = NetworkInterfaceCreate(network=NETWORK, mac=MAC)
    interfaces.network_interface_create(session, running.id, wanted)
    for guest in (running.id, stopped.id):
        with pytest.raises(Conflict, match=MAC.lower()):
            interfaces.network_interface_create(session, guest, wanted)
    interfaces.network_interface_delete(session, running.id, MAC)
    interfaces.network_interface_create(session, stopped.id, wanted)


def test_an_interface_keeps_all_that_an_update_does_not_name(session: MockSession, running: Guest) -> None:
    (before,) = interfaces.network_interface_list(session, running.id)
    after = interfaces.network_interface_update(
        session,
        running.id,
        before.id,
        NetworkInterfaceUpdate(
            network="Storage network",
            ratelimit=10_000_000,
            locking_mode="locked",
            ipv4_allowed=["192.0.2.1", "198.51.100.0/24"],
            ipv6_allowed=["2001:db8::1"],
        ),
    )
    assert interfaces.network_interface_info(session, running.id, before.id) == after
    assert (after.id, after.number, after.active) == (before.id, before.number, True)
    assert (after.network, after.ratelimit, after.locking_mode) == ("Storage network", 10_000_000, "locked")
    off = interfaces.network_interface_update(
        session, running.id, before.id, NetworkInterfaceUpdate(active=False)
    )
    assert (off.active, off.ipv4_allowed, off.ipv6_allowed) == (
        False,
        ["192.0.2.1", "198.51.100.0/24"],
        ["2001:db8::1"],
    )


@pytest.mark.parametrize("lifted", [None, False, 0])
def test_a_rate_limit_is_lifted(session: MockSession, running: Guest, lifted: int | bool | None) -> None:
    (interface,) = interfaces.network_interface_list(session, running.id)
    for rate, seen in ((1000, 1000), (lifted, None)):
        changes = NetworkInterfaceUpdate(ratelimit=rate)
        after = interfaces.network_interface_update(session, running.id, interface.id, changes)
        assert after.ratelimit == seen


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (NetworkInterfaceUpdate(active=False, network="none"), EntityNotFound, "Network:none"),
        (NetworkInterfaceUpdate(active=False, ipv4_allowed=["2001:db8::1"]), InvalidArguments, "not an IPv4"),
        (NetworkInterfaceUpdate(active=False, ipv6_allowed=["192.0.2.1"]), InvalidArguments, "not an IPv6"),
        (NetworkInterfaceUpdate(active=False, ipv4_allowed=["<x>"]), InvalidArguments, "ipv4_allowed"),
        (NetworkInterfaceUpdate(active=False, ipv4_allowed=["192.0.2.1"] * 65), InvalidArguments, "limit"),
    ],
)
def test_a_refused_update_changes_nothing_about_the_interface(
    session: MockSession,
    running: Guest,
    changes: NetworkInterfaceUpdate,
    error: type[Exception],
    message: str,
) -> None:
    (before,) = interfaces.network_interface_list(session, running.id)
    with pytest.raises(error, match=message):
        interfaces.network_interface_update(session, running.id, before.id, changes)
    assert interfaces.network_interface_list(session, running.id) == [before]


def test_an_interface_of_another_guest_is_not_found(
    session: MockSession, running: Guest, stopped: Guest
) -> None:
    (theirs,) = interfaces.network_interface_list(session, running.id)
    for call in (
        lambda: interfaces.network_interface_info(session, stopped.id, theirs.id),
        lambda: interfaces.network_interface_update(
            session, stopped.id, theirs.id, NetworkInterfaceUpdate(active=False)
        ),
        lambda: interfaces.network_interface_delete(session, stopped.id, theirs.id),
    ):
        with pytest.raises(EntityNotFound, match="NetworkInterface:"):
            call()
    assert interfaces.network_interface_list(session, running.id) == [theirs]


def test_an_interface_needs_a_network_that_exists(session: MockSession, running: Guest) -> None:
    with pytest.raises(EntityNotFound, match="Network:none"):
        interfaces.network_interface_create(session, running.id, NetworkInterfaceCreate(network="none"))


def test_an_iso_is_mounted_replaced_and_ejected(session: MockSession, running: Guest) -> None:
    assert media.media_info(session, running.id).name is None
    for name in ("virtio-win.iso", "debian-12-netinst.iso"):
        media.media_mount(session, running.id, name)
        assert media.media_info(session, running.id).name == name
    media.media_unmount(session, running.id)
    media.media_unmount(session, running.id)
    assert media.media_info(session, running.id).name is None


def test_an_unknown_iso_leaves_the_drive_as_it_is(session: MockSession, running: Guest) -> None:
    media.media_mount(session, running.id, "virtio-win.iso")
    with pytest.raises(EntityNotFound, match=r"^ISO:../etc/passwd not found$"):
        media.media_mount(session, running.id, "../etc/passwd")
    assert media.media_info(session, running.id).name == "virtio-win.iso"


def test_tags_are_sorted_and_unique(session: MockSession, stopped: Guest) -> None:
    assert tags.tag_create(session, stopped.id, "b") == ["b", "database", "demo"]
    assert tags.tag_create(session, stopped.id, "a") == ["a", "b", "database", "demo"]
    assert tags.tag_create(session, stopped.id, "b") == ["a", "b", "database", "demo"]
    tags.tag_delete(session, stopped.id, "b")
    assert tags.tag_list(session, stopped.id) == ["a", "database", "demo"]


def test_the_last_tag_can_be_removed(session: MockSession, stopped: Guest) -> None:
    for tag in tags.tag_list(session, stopped.id):
        tags.tag_delete(session, stopped.id, tag)
    assert tags.tag_list(session, stopped.id) == []
    with pytest.raises(EntityNotFound, match="Tag:demo"):
        tags.tag_delete(session, stopped.id, "demo")


@pytest.mark.parametrize(
    "call",
    [
        lambda s: disks.disk_list(s, "nobody"),
        lambda s: disks.disk_info(s, "nobody", "x"),
        lambda s: disks.disk_create(s, "nobody", DiskCreate(size=1)),
        lambda s: disks.disk_update(s, "nobody", "x", DiskUpdate()),
        lambda s: disks.disk_delete(s, "nobody", "x"),
        lambda s: interfaces.network_interface_list(s, "nobody"),
        lambda s: interfaces.network_interface_info(s, "nobody", "x"),
        lambda s: interfaces.network_interface_create(s, "nobody", NetworkInterfaceCreate(network=NETWORK)),
        lambda s: interfaces.network_interface_update(s, "nobody", "x", NetworkInterfaceUpdate()),
        lambda s: interfaces.network_interface_delete(s, "nobody", "x"),
        lambda s: media.media_info(s, "nobody"),
        lambda s: media.media_mount(s, "nobody", "virtio-win.iso"),
        lambda s: media.media_unmount(s, "nobody"),
        lambda s: tags.tag_list(s, "nobody"),
        lambda s: tags.tag_create(s, "nobody", "x"),
        lambda s: tags.tag_delete(s, "nobody", "x"),
    ],
)
def test_devices_of_an_unknown_guest_are_not_found(session: MockSession, call: object) -> None:
    with pytest.raises(EntityNotFound, match="Guest:nobody not found"):
        call(session)  # type: ignore[operator]  # one of those above
