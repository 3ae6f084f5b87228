"""Guests made on a simulated pool: of templates, of images, of nothing; failures half-way."""

from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from simplestack import (
    Conflict,
    DiskCreate,
    EntityNotFound,
    GuestCreate,
    HypervisorError,
    InvalidArguments,
    NewDisk,
    NewNetworkInterface,
)
from simplestack_xen.hooks.disks import disk_create, disk_list
from simplestack_xen.hooks.guests_create import guest_create
from simplestack_xen.hooks.interfaces import network_interface_list
from simplestack_xen.hooks.media import media_info
from simplestack_xen.hooks.snapshots import snapshot_create
from simplestack_xen.sdk import XenAPI
from simplestack_xen.xapi.naming import with_name
from simplestack_xen.xapi.session import XenSession
from support.service import wait_for
from support.xapi import Pool

from .conftest import Connect, Order

TEMPLATE = "Debian Bookworm 12"
STARTED = GuestCreate(name="web", template=TEMPLATE, memory=256, disks=[NewDisk(size=1)], start=True)


def _set_disks(pool: Pool, disks: str) -> None:
    """Say which disks the template makes."""
    template = pool.vm(TEMPLATE)
    template["other_config"] = {**template["other_config"], "disks": disks}


def test_a_template_gives_its_disks_and_becomes_no_guest(pool: Pool, session: XenSession) -> None:
    made = guest_create(session, GuestCreate(name="web", template=TEMPLATE, memory=1024, cpus=2))
    assert (made.name, made.memory, made.cpus, made.hdd, made.state) == ("web", 1024, 2, 8, "STOPPED")
    assert pool.vm(TEMPLATE)["is_a_template"]
    assert pool.vm(TEMPLATE)["other_config"]["disks"]
    assert "disks" not in pool.vm("web")["other_config"]


def test_all_that_a_request_can_name(session: XenSession) -> None:
    wanted = GuestCreate(
        name="web",
        template=TEMPLATE,
        memory=512,
        cpus=4,
        disks=[NewDisk(size=1.5, name="data"), NewDisk(size=2)],
        network_interfaces=[NewNetworkInterface(network="Pool-wide network 1")] * 2,
        iso="debian.iso",
        storage="Local storage",
        paravirtualized=True,
        start=True,
    )
    made = guest_create(session, wanted)
    assert (made.state, made.hdd, made.paravirtualized, made.cpus) == ("STARTED", 11.5, True, 4)
    assert [disk.size for disk in disk_list(session, made.id)] == [8, 1.5, 2]
    assert disk_list(session, made.id)[1].name == "data"
    assert [found.network for found in network_interface_list(session, made.id)] == [
        "Pool-wide network 1"
    ] * 2
    assert media_info(session, made.id).name == "debian.iso"


def test_without_a_template_it_is_a_whole_machine_with_a_drive(pool: Pool, session: XenSession) -> None:
    made = guest_create(session, GuestCreate(name="bare", memory=256))
    assert (made.memory, made.cpus, made.hdd, made.paravirtualized) == (256, 1, 0, False)
    (drive,) = [drive for drive in pool.all("VBD") if drive["VM"] == pool.vm("bare").ref]
    assert (drive["type"], drive["empty"]) == ("CD", True)
    assert disk_create(session, made.id, DiskCreate(size=1)).id == "0", "where systems look for it"


def test_without_a_template_it_is_as_large_and_boots_as_the_request_says(session: XenSession) -> None:
    made = guest_create(session, GuestCreate(name="bare", memory=256, cpus=3, paravirtualized=True))
    assert (made.memory, made.cpus, made.paravirtualized) == (256, 3, True)


def test_interfaces_that_a_request_names_take_the_place_of_the_templates(
    pool: Pool, session: XenSession
) -> None:
    wanted = [NewNetworkInterface(network="Pool-wide network 1")]
    made = guest_create(session, GuestCreate(name="web", template="vm-0", network_interfaces=wanted))
    (interface,) = network_interface_list(session, made.id)
    assert interface.network == "Pool-wide network 1"
    assert interface.mac not in [found["MAC"] for found in pool.all("VIF") if found["VM"] == pool.vm().ref]


@pytest.mark.parametrize("image", [None, "debian-12"])
def test_a_guest_boots_from_its_first_disk_alone(pool: Pool, session: XenSession, image: str | None) -> None:
    disks = [NewDisk(size=1), NewDisk(size=1)]
    guest_create(session, GuestCreate(name="web", memory=256, image=image, disks=disks))
    drives = [found for found in pool.all("VBD") if found["VM"] == pool.vm("web").ref]
    assert [drive["userdevice"] for drive in drives if drive["bootable"]] == ["0"]


def test_each_disk_goes_to_the_storage_that_it_names_or_that_of_the_guest(
    pool: Pool, session: XenSession
) -> None:
    second, third = pool.add_storage("Second"), pool.add_storage("Third")
    disks = [NewDisk(size=1, name="a", storage="Third"), NewDisk(size=1, name="b")]
    guest_create(session, GuestCreate(name="web", memory=256, storage="Second", disks=disks))
    assert {image["name_label"]: image["SR"] for image in pool.all("VDI") if image["name_label"] in "ab"} == {
        "a": third.ref,
        "b": second.ref,
    }


def test_all_disks_of_a_template_go_to_the_storage_that_is_named(pool: Pool, session: XenSession) -> None:
    second = pool.add_storage("Second")
    disk = '<disk device="{}" size="1073741824" sr="" bootable="false" type="system"/>'
    _set_disks(pool, f"<provision>{disk.format(0)}{disk.format(1)}</provision>")
    made = guest_create(session, GuestCreate(name="web", template=TEMPLATE, storage="Second"))
    uuids = [found.extra_info for found in disk_list(session, made.id)]
    assert [image["SR"] for image in pool.all("VDI") if image["uuid"] in uuids] == [second.ref] * 2


@pytest.mark.parametrize(
    ("disks", "trouble"),
    [
        ('<!DOCTYPE provision [<!ENTITY a "aa">]><provision/>', "document type"),
        ("<provision>", "not well-formed"),
    ],
)
def test_a_template_whose_disks_cannot_be_read_makes_no_guest(
    pool: Pool, session: XenSession, disks: str, trouble: str
) -> None:
    _set_disks(pool, disks)
    before = pool.counts()
    with pytest.raises(HypervisorError, match=f"the template's list of disks .*{trouble}"):
        guest_create(session, GuestCreate(name="web", template=TEMPLATE))
    assert pool.counts() == before


def test_an_image_is_cloned_where_it_lies_and_copied_elsewhere(pool: Pool, session: XenSession) -> None:
    second = pool.add_storage("Second")
    wanted = GuestCreate(name="web", memory=256, image="debian-12", disks=[NewDisk(size=1)])
    made = guest_create(session, wanted)
    assert [disk.size for disk in disk_list(session, made.id)] == [2, 1]
    assert pool.simulator.counts["Async.VDI.copy"] == 0
    other = guest_create(session, msgspec.structs.replace(wanted, name="other", storage="Second"))
    assert pool.simulator.counts["Async.VDI.copy"] == 1
    uuids = [disk.extra_info for disk in disk_list(session, other.id)]
    assert [disk["SR"] for disk in pool.all("VDI") if disk["uuid"] in uuids] == [second.ref] * 2


def test_an_image_is_copied_where_its_storage_makes_no_clones(
    pool: Pool, session: XenSession, order: Order
) -> None:
    order(pool, "VDI.clone", code="SR_OPERATION_NOT_SUPPORTED", parameters=["OpaqueRef:1"])
    made = guest_create(session, GuestCreate(name="web", memory=256, image="debian-12"))
    assert made.hdd == 2
    assert [disk.name for disk in disk_list(session, made.id)] == ["web disk"]


def test_an_image_is_found_by_its_name_while_it_is_copied(
    pool: Pool, session: XenSession, log_in: Connect, order: Order
) -> None:
    pool.add_storage("Second")
    order(pool, "VDI.copy", effect="hold")
    wanted = GuestCreate(name="web", memory=256, image="debian-12", storage="Second")
    with ThreadPoolExecutor(1) as threads:
        copying = threads.submit(guest_create, session, wanted)
        wait_for(lambda: pool.simulator.counts["Async.VDI.copy"] == 1, what="the copy to begin")
        other = guest_create(log_in(pool), GuestCreate(name="other", memory=256, image="debian-12"))
        pool.simulator.faults.clear()
        assert (other.hdd, copying.result(30).hdd) == (2, 2)


def test_a_guest_is_copied_into_a_storage_that_is_named(pool: Pool, session: XenSession) -> None:
    second = pool.add_storage("Second")
    made = guest_create(session, GuestCreate(name="web", template="vm-0", storage="Second"))
    (disk,) = disk_list(session, made.id)
    assert [found["SR"] for found in pool.all("VDI") if found["uuid"] == disk.extra_info] == [second.ref]


@pytest.mark.parametrize(
    "message", ["VBD.create", "VDI.create", "VIF.create", "VBD.insert", "Async.VM.start"]
)
@pytest.mark.parametrize("template", [TEMPLATE, None])
def test_a_failure_at_any_step_leaves_nothing_behind(
    pool: Pool, session: XenSession, order: Order, message: str, template: str | None
) -> None:
    before = pool.counts()
    order(pool, message, code="INTERNAL_ERROR", parameters=["it broke"])
    wanted = GuestCreate(
        name="web",
        template=template,
        memory=256,
        disks=[NewDisk(size=1), NewDisk(size=1)],
        network_interfaces=[NewNetworkInterface(network="Pool-wide network 0")],
        iso="debian.iso",
        start=True,
    )
    with pytest.raises(XenAPI.Failure, match="it broke"):
        guest_create(session, wanted)
    assert pool.counts() == before


def test_a_guest_that_cannot_be_shown_after_its_start_is_stopped_and_removed(
    pool: Pool, session: XenSession, order: Order
) -> None:
    before = pool.counts()
    order(pool, "VM.start", effect="hold")
    with ThreadPoolExecutor(1) as threads:
        creating = threads.submit(guest_create, session, STARTED)
        wait_for(lambda: pool.simulator.counts["Async.VM.start"], what="the start to begin")
        (task,) = wait_for(lambda: pool.all("task"), what="its task")
        order(pool, "VM.get_record", code="INTERNAL_ERROR", parameters=["it broke"])
        pool.simulator.faults.release(task.ref)
        with pytest.raises(XenAPI.Failure, match="it broke"):
            creating.result(30)
    assert pool.simulator.counts["Async.VM.start"] == 1
    assert pool.counts() == before


def test_a_guest_whose_start_takes_effect_while_it_is_removed_is_stopped_and_removed(
    pool: Pool, session: XenSession, order: Order
) -> None:
    before = pool.counts()
    order(pool, "VM.start", effect="hold")
    order(pool, "Async.VM.start", effect="drop after")
    with ThreadPoolExecutor(1) as threads:
        creating = threads.submit(guest_create, session, STARTED)
        wait_for(lambda: pool.simulator.counts["Async.VM.destroy"], what="the removal to begin")
        pool.simulator.faults.clear()
        with pytest.raises(HypervisorError, match="unknown"):
            creating.result(30)
    assert pool.counts() == before | {"task": 1}, "nobody was told of the start's own task"


def test_a_disk_that_finds_no_room_leaves_nothing_behind(pool: Pool, session: XenSession) -> None:
    before = pool.counts()
    wanted = GuestCreate(name="web", template=TEMPLATE, disks=[NewDisk(size=1), NewDisk(size=1500)])
    with pytest.raises(XenAPI.Failure, match="SR_FULL"):
        guest_create(session, wanted)
    assert pool.counts() == before


def test_two_templates_of_one_name_are_a_conflict_that_names_their_ids(
    pool: Pool, session: XenSession
) -> None:
    pool.vm("vm-2")["name_label"] = "vm-1"
    with pytest.raises(Conflict) as refused:
        guest_create(session, GuestCreate(name="web", template="vm-1"))
    for vm in pool.all("VM"):
        assert (vm["uuid"] in refused.value.message) == (vm["name_label"] == "vm-1")


def test_a_snapshot_of_an_image_is_no_image(session: XenSession) -> None:
    made = guest_create(session, GuestCreate(name="origin", memory=256, disks=[NewDisk(size=1, name="root")]))
    snapshot_create(session, made.id, "then")
    assert guest_create(session, GuestCreate(name="web", memory=256, image="root")).hdd == 1


@pytest.mark.parametrize(
    ("wanted", "entity"),
    [
        (GuestCreate(name="web", memory=256, image="debian.iso"), "Image"),
        (GuestCreate(name="web", memory=256, iso="debian-12"), "ISO"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_image_is_no_iso_and_an_iso_no_image(
    session: XenSession, wanted: GuestCreate, entity: str
) -> None:
    with pytest.raises(EntityNotFound) as refused:
        guest_create(session, wanted)
    assert refused.value.entity == entity


def test_disks_do_not_go_among_iso_images(session: XenSession) -> None:
    with pytest.raises(InvalidArguments, match="ISO"):
        guest_create(session, GuestCreate(name="web", memory=256, storage="ISO library"))


def test_a_snapshot_may_have_the_name_that_a_guest_wants(pool: Pool, session: XenSession) -> None:
    session.tasks.run.VM.snapshot(pool.vm().ref, "web")
    assert guest_create(session, GuestCreate(name="web", memory=256)).name == "web"


def test_a_guest_cannot_have_the_name_of_a_template(pool: Pool, session: XenSession) -> None:
    before = pool.counts()
    with pytest.raises(Conflict, match="another guest has the name"):
        guest_create(session, GuestCreate(name=TEMPLATE, memory=256))
    assert pool.counts() == before


def test_a_name_of_which_nobody_can_say_whose_else_it_is_is_given_up(
    pool: Pool, session: XenSession, order: Order
) -> None:
    mine, given_back = pool.vm().ref, list[str]()

    def take() -> str:
        order(pool, "VM.get_by_name_label", code="INTERNAL_ERROR", parameters=["it broke"])
        return mine

    with pytest.raises(XenAPI.Failure, match="it broke"):
        with_name(session, "web", take, given_back.append)
    assert given_back == [mine]


def test_a_name_that_others_take_in_the_same_moment_is_given_up(pool: Pool, session: XenSession) -> None:
    mine, given_back = pool.vm().ref, list[str]()

    def take() -> str:
        session.xenapi.VM.set_name_label(mine, "web")
        pool.vm("vm-1")["name_label"] = "web"  # another client, after the check and before the next one
        return mine

    def give_back(ref: str) -> None:
        given_back.append(ref)
        session.xenapi.VM.set_name_label(ref, "vm-0")

    with pytest.raises(Conflict):
        with_name(session, "web", take, give_back)
    assert given_back == [mine]
