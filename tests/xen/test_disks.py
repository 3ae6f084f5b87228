"""Disks of guests on a simulated pool."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from simplestack import (
    Busy,
    Conflict,
    Disk,
    DiskCreate,
    DiskUpdate,
    GuestCreate,
    InvalidArguments,
    NewDisk,
    OperationTimeout,
)
from simplestack_xen.hooks.disks import disk_create, disk_delete, disk_list, disk_update
from simplestack_xen.hooks.guests_create import guest_create
from simplestack_xen.hooks.power import guest_start
from simplestack_xen.sdk import XenAPI
from simplestack_xen.xapi.session import XenSession
from simulators.xapi.database import Object
from support.known import known
from support.service import wait_for
from support.xapi import Pool

from .conftest import Connect, Order


def image_of(pool: Pool, session: XenSession, guest_id: str) -> Object:
    """Return the image in a guest's first disk, as the simulator has it."""
    first = disk_list(session, guest_id)[0]
    (found,) = [image for image in pool.all("VDI") if image["uuid"] == first.extra_info]
    return found


def test_ids_are_the_numbers_of_devices_as_first_generation_clients_know_them(
    pool: Pool, session: XenSession, guest: str
) -> None:
    disk_create(session, guest, DiskCreate(size=1))
    assert [(disk.id, disk.number) for disk in disk_list(session, guest)] == [("0", "0"), ("1", "1")]
    assert {disk.extra_info for disk in disk_list(session, guest)} <= {vdi["uuid"] for vdi in pool.all("VDI")}


def test_a_disk_without_a_storage_goes_beside_the_guests_first_one(
    pool: Pool, session: XenSession, log_in: Connect, guest: str
) -> None:
    """As it did in the first Simplestack, and not to the pool's default storage."""
    second = pool.add_storage("Second")
    made = guest_create(session, GuestCreate(name="web", template="vm-0", storage="Second"))

    def storage_of(disk: Disk) -> str:
        (image,) = [found for found in pool.all("VDI") if found["uuid"] == disk.extra_info]
        return str(image["SR"])

    assert storage_of(disk_create(session, made.id, DiskCreate(size=1))) == second.ref
    assert (
        storage_of(disk_create(session, made.id, DiskCreate(size=1, storage_id="Local storage")))
        != second.ref
    )
    wanted = GuestCreate(name="other", template=made.id, disks=[NewDisk(size=1)])
    other = guest_create(session, wanted)
    assert storage_of(disk_list(session, other.id)[-1]) == second.ref
    by_settings = log_in(pool, default_storage="Local storage")
    assert storage_of(disk_create(by_settings, made.id, DiskCreate(size=1))) != second.ref
    pool.disconnect("Second")
    with pytest.raises(Conflict, match="storage 'Second' is not connected"):
        disk_create(session, made.id, DiskCreate(size=1))


def test_a_disk_that_cannot_be_plugged_in_leaves_nothing_behind(
    pool: Pool, session: XenSession, guest: str, order: Order
) -> None:
    guest_start(session, guest)
    before = pool.counts()
    order(pool, "VBD.plug", code="DEVICE_ATTACH_TIMEOUT", parameters=["VBD", "OpaqueRef:1"])
    with pytest.raises(XenAPI.Failure, match="DEVICE_ATTACH_TIMEOUT"):
        disk_create(session, guest, DiskCreate(size=1))
    assert pool.counts() == before


def test_a_disk_that_the_guest_holds_on_to_stays_whole(
    pool: Pool, session: XenSession, guest: str, order: Order
) -> None:
    guest_start(session, guest)
    before = disk_list(session, guest)
    order(pool, "VBD.unplug", code="DEVICE_DETACH_REJECTED", parameters=["VBD", "OpaqueRef:1", "busy"])
    with pytest.raises(XenAPI.Failure, match="DEVICE_DETACH_REJECTED"):
        disk_delete(session, guest, "0")
    assert disk_list(session, guest) == before


def test_a_disk_image_that_is_in_use_elsewhere_is_detached_and_stays(
    pool: Pool, session: XenSession, guest: str
) -> None:
    (disk,) = disk_list(session, guest)
    (image,) = [found for found in pool.all("VDI") if found["uuid"] == disk.extra_info]
    pool.share(image, pool.vm("vm-1"))
    disk_delete(session, guest, "0")
    assert disk_list(session, guest) == []
    assert image.ref in [found.ref for found in pool.all("VDI")]


def test_an_image_that_is_backed_up_just_now_is_not_lost_out_of_sight(
    pool: Pool, session: XenSession, guest: str
) -> None:
    """The control domain has it then, and XAPI does not destroy it."""
    guest_start(session, guest)
    (disk,) = disk_list(session, guest)
    (image,) = [found for found in pool.all("VDI") if found["uuid"] == disk.extra_info]
    pool.vm("vm-1")["is_control_domain"] = True
    pool.share(image, pool.vm("vm-1"))["currently_attached"] = True
    with pytest.raises(Busy):
        disk_delete(session, guest, "0")
    assert disk_list(session, guest) == [disk]
    drives = [drive for drive in pool.all("VBD") if drive["VDI"] == image.ref]
    assert [drive["currently_attached"] for drive in drives] == [True, True]


def test_a_guest_with_all_devices_taken_takes_no_more(pool: Pool, session: XenSession, guest: str) -> None:
    for number in range(1, 255):
        values = {
            "VM": pool.vm().ref,
            "userdevice": str(number),
            "type": "CD",
            "empty": True,
            "mode": "RO",
        }
        drive = pool.simulator.database.add("VBD", values)
        pool.vm()["VBDs"] = [*pool.vm()["VBDs"], drive.ref]
    before = pool.counts()
    with pytest.raises(Conflict):
        disk_create(session, guest, DiskCreate(size=1))
    assert pool.counts() == before


def test_a_drive_that_seems_plugged_in_although_its_plugging_failed_is_removed(
    pool: Pool, log_in: Connect, guest: str, order: Order
) -> None:
    session = log_in(pool, call_timeout_seconds=2)
    guest_start(session, guest)
    before = pool.counts()
    order(pool, "VBD.plug", effect="hold")
    with ThreadPoolExecutor(1) as threads:
        making = threads.submit(disk_create, session, guest, DiskCreate(size=1))
        wait_for(lambda: pool.simulator.counts["Async.VBD.plug"], what="the plugging to begin")
        (new,) = [drive for drive in pool.all("VBD") if drive["userdevice"] == "1"]
        new["currently_attached"] = True
        with pytest.raises(OperationTimeout):
            making.result(30)
    assert pool.counts() == before


def test_a_device_that_another_client_takes_first_is_a_conflict_that_leaves_nothing_behind(
    pool: Pool, session: XenSession, guest: str, order: Order
) -> None:
    before = pool.counts()
    order(pool, "VBD.create", code="DEVICE_ALREADY_EXISTS", parameters=["1"])
    with pytest.raises(Conflict, match="no free device"):
        disk_create(session, guest, DiskCreate(size=1))
    assert pool.counts() == before


def test_a_read_only_image_is_detached_and_stays(pool: Pool, session: XenSession, guest: str) -> None:
    image = image_of(pool, session, guest)
    image["read_only"] = True
    disk_delete(session, guest, "0")
    assert disk_list(session, guest) == []
    assert image.ref in [found.ref for found in pool.all("VDI")]


def test_a_disk_that_its_storage_does_not_give_up_is_plugged_in_again(
    pool: Pool, session: XenSession, guest: str, order: Order
) -> None:
    guest_start(session, guest)
    order(pool, "VDI.destroy", code="SR_BACKEND_FAILURE_80", parameters=["", "Failed to delete", ""])
    with pytest.raises(XenAPI.Failure, match="SR_BACKEND_FAILURE_80"):
        disk_delete(session, guest, "0")
    assert pool.simulator.counts["Async.VBD.unplug"] == 1
    (drive,) = [drive for drive in pool.all("VBD") if drive["VM"] == pool.vm().ref]
    assert drive["currently_attached"]


def test_a_disk_in_use_may_be_given_the_size_that_it_has(session: XenSession, guest: str) -> None:
    """Few versions of XAPI let one grow then."""
    guest_start(session, guest)
    before = disk_list(session, guest)[0]
    assert disk_update(session, guest, "0", DiskUpdate(size=known(before.size))) == before


@pytest.mark.parametrize("size", [1, 9])
def test_a_disk_that_does_not_change_its_size_keeps_its_name_too(
    pool: Pool, session: XenSession, guest: str, order: Order, size: int
) -> None:
    before = disk_list(session, guest)
    order(pool, "VDI.resize", code="SR_FULL", parameters=["2", "1"])
    with pytest.raises((InvalidArguments, XenAPI.Failure)):
        disk_update(session, guest, "0", DiskUpdate(size=size, name="new"))
    assert disk_list(session, guest) == before


@pytest.mark.parametrize("unknown", [0, -1])
def test_a_disk_of_unknown_size_is_not_resized(
    pool: Pool, session: XenSession, guest: str, unknown: int
) -> None:
    """It may be larger than the size that is asked for."""
    image = image_of(pool, session, guest)
    image["virtual_size"] = unknown
    before = disk_list(session, guest)
    with pytest.raises(Conflict, match="`size`: the size of disk 0 is unknown"):
        disk_update(session, guest, "0", DiskUpdate(size=1, name="new"))
    assert image["virtual_size"] == unknown
    assert pool.simulator.counts["Async.VDI.resize"] == 0
    assert disk_list(session, guest) == before
