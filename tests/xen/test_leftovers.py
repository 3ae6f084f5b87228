"""What operations are creating, and what they leave when their worker is killed."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import msgspec
import pytest

from simplestack import Conflict, DiskCreate, GuestCreate, HypervisorError, NewDisk, SimplestackError
from simplestack_xen.hooks.disks import disk_create, disk_list
from simplestack_xen.hooks.guests import guest_clone, guest_delete, guest_info
from simplestack_xen.hooks.guests_create import guest_create
from simplestack_xen.hooks.power import guest_shutdown, guest_start
from simplestack_xen.hooks.transfer import guest_export, guest_import
from simplestack_xen.sdk import XenAPI
from simplestack_xen.xapi import leftovers
from simplestack_xen.xapi.leftovers import remove_leftovers
from simplestack_xen.xapi.session import XenSession
from simulators.xapi.database import Object
from simulators.xapi.simulator import Simulator
from support.service import wait_for
from support.xapi import Pool, Trust, running_pool

from .conftest import Connect, Order
from .test_transfer import Upload

TEMPLATE = "Debian Bookworm 12"
PREFIX = "simplestack:making:"
BY_IMAGE = GuestCreate(name="web", memory=256, image="debian-12")
BY_TEMPLATE = GuestCreate(name="web", template=TEMPLATE, disks=[NewDisk(size=1)])


def marked(pool: Pool) -> list[Object]:
    """Return what has a mark."""
    return [
        found
        for class_name in ("VM", "VDI")
        for found in pool.all(class_name)
        if any(key.startswith(PREFIX) for key in found["other_config"])
    ]


def age(pool: Pool, hours: float = 26) -> None:
    """Let all marks be older."""
    since = (dt.datetime.now(dt.UTC) - dt.timedelta(hours=hours)).isoformat()
    for found in marked(pool):
        found["other_config"] = {
            key: msgspec.json.encode(msgspec.json.decode(value) | {"since": since}).decode()
            if key.startswith(PREFIX)
            else value
            for key, value in found["other_config"].items()
        }


def kill_in(pool: Pool, order: Order, session: XenSession, message: str, wanted: GuestCreate) -> None:
    """Let a create fail at a message, without a session to undo anything with, as that of a killed worker."""
    # The first ones remove a template's own mark, and its list of disks.
    after = 2 if message == "VM.remove_from_other_config" else 0
    order(pool, message, effect="end sessions", after=after)
    with pytest.raises((SimplestackError, XenAPI.Failure)):
        guest_create(session, wanted)


def copy_image(session: XenSession, pool: Pool) -> Object:
    """Copy the image as another client does."""
    image = next(found for found in pool.all("VDI") if found["name_label"] == "debian-12")
    return pool.simulator.database.get("VDI", session.xenapi.VDI.clone(image.ref, {}))


def test_many_clients_create_from_one_image_at_once(trust: Trust, log_in: Connect) -> None:
    """XAPI gives a clone the name of its original until another one is set."""
    with running_pool(trust, Simulator(latency_seconds=0.005)) as pool:
        sessions = [log_in(pool) for _ in range(6)]

        def create(number: int) -> str:
            wanted = msgspec.structs.replace(BY_IMAGE, name=f"web-{number}")
            return guest_create(sessions[number % 6], wanted).name

        for first in range(0, 18, 6):
            with ThreadPoolExecutor(6) as threads:
                assert len(list(threads.map(create, range(first, first + 6)))) == 6
        assert marked(pool) == []


def test_a_clone_that_has_the_name_of_its_image_for_a_moment_is_not_taken_for_it(
    pool: Pool, session: XenSession, log_in: Connect, order: Order
) -> None:
    order(pool, "VDI.set_name_label", effect="hang")
    with ThreadPoolExecutor(1) as threads:
        creating = threads.submit(guest_create, session, BY_IMAGE)
        wait_for(lambda: pool.simulator.counts["VDI.set_name_label"], what="the clone to be there")
        other = msgspec.structs.replace(BY_IMAGE, name="other")
        assert guest_create(log_in(pool), other).hdd == 2
        pool.simulator.faults.clear()
        assert creating.result(30).hdd == 2, "its connection broke, and it asked again"
    assert marked(pool) == []


def test_a_clone_whose_answer_was_lost_does_not_take_the_name(
    pool: Pool, session: XenSession, order: Order
) -> None:
    order(pool, "Async.VDI.clone", effect="drop after")
    with pytest.raises(HypervisorError):
        guest_create(session, BY_IMAGE)
    wait_for(
        lambda: [image["name_label"] for image in pool.all("VDI")].count("debian-12") == 2, what="the clone"
    )
    assert guest_create(session, BY_IMAGE).hdd == 2
    age(pool)
    remove_leftovers(session)
    names = [image["name_label"] for image in pool.all("VDI")]
    assert names.count("debian-12") == 2, "it may as well be somebody's own copy of that moment"
    assert guest_create(session, msgspec.structs.replace(BY_IMAGE, name="other")).hdd == 2


@pytest.mark.parametrize("wanted", [BY_IMAGE, BY_TEMPLATE, GuestCreate(name="web", template="vm-0")])
def test_what_is_complete_has_no_mark_and_nor_has_what_it_was_made_of(
    pool: Pool, session: XenSession, wanted: GuestCreate
) -> None:
    guest_create(session, wanted)
    assert marked(pool) == []


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        ("VBD.create", BY_IMAGE),
        ("VDI.set_name_label", BY_IMAGE),
        ("Async.VM.provision", BY_TEMPLATE),
        ("VDI.create", BY_TEMPLATE),
        ("VDI.remove_from_other_config", BY_TEMPLATE),
        ("Async.VM.provision", GuestCreate(name="web", template="base")),
    ],
)
def test_what_a_killed_worker_leaves_is_removed_when_it_is_older_than_any_operation(
    pool: Pool, log_in: Connect, order: Order, message: str, wanted: GuestCreate
) -> None:
    base = pool.vm("vm-1")
    base["name_label"], base["is_a_template"] = "base", True
    before = pool.counts()
    kill_in(pool, order, log_in(pool), message, wanted)
    left, session = pool.counts(), log_in(pool)
    assert left["VM"] == before["VM"] + 1
    remove_leftovers(session)
    assert pool.counts() == left, "it may be another worker's that is still at it"
    with pytest.raises(Conflict, match="has the name 'web'"):
        guest_create(session, wanted)
    age(pool)
    made = guest_create(log_in(pool), GuestCreate(name="other", memory=256))
    remove_leftovers(session)
    after = pool.counts()
    names = [image["name_label"] for image in pool.all("VDI")]
    if message == "VDI.set_name_label":
        assert names.count("debian-12") == 2, "an orphan that nobody can tell from somebody's copy"
        after["VDI"] -= 1
    assert "web" not in [vm["name_label"] for vm in pool.all("VM")]
    assert {name: after[name] for name in ("VM", "VDI", "task")} == {
        "VM": before["VM"] + 1,
        "VDI": before["VDI"],
        "task": before["task"],
    }
    assert made.name == "other"
    assert [found["name_label"] for found in marked(pool)] == ["debian-12"] * (len(marked(pool)))


@pytest.mark.parametrize(
    "what", ["started", "made a template", "renamed", "given a disk", "kept in a snapshot"]
)
def test_what_somebody_has_used_since_stays(pool: Pool, log_in: Connect, order: Order, what: str) -> None:
    kill_in(pool, order, log_in(pool), "VDI.remove_from_other_config", BY_IMAGE)
    session, vm = log_in(pool), pool.vm("web")
    vm["other_config"] = vm["other_config"] | {
        f"{PREFIX}1": msgspec.json.encode({"since": dt.datetime.now(dt.UTC), "name": "web"}).decode()
    }
    age(pool)
    if what in ("started", "made a template"):
        guest_start(session, vm["uuid"])
        guest_shutdown(session, vm["uuid"], force=True)
        if what == "made a template":
            session.xenapi.VM.set_is_a_template(vm.ref, True)
    elif what == "renamed":
        vm["name_label"] = "mine"
    elif what == "given a disk":
        (data,) = [image for image in pool.all("VDI") if image["name_label"] == "vm-1 0"]
        pool.share(data, vm)
    else:
        session.tasks.run.VM.snapshot(vm.ref, "then")
    before = pool.counts()
    remove_leftovers(session)
    assert pool.counts() == before
    assert [vm["name_label"] for vm in marked(pool)] == ["debian-12"], "nor has a snapshot old marks"


def test_a_disk_that_was_once_in_a_guest_stays_when_somebody_takes_it_out(
    pool: Pool, log_in: Connect, order: Order
) -> None:
    """Somebody may have used the guest, and have data on the disk."""
    kill_in(pool, order, log_in(pool), "VDI.remove_from_other_config", BY_TEMPLATE)
    session = log_in(pool)
    (disk,) = [image for image in pool.all("VDI") if image["name_label"] == "web disk 0"]
    (drive,) = disk["VBDs"]
    session.xenapi.VBD.destroy(drive)
    age(pool)
    remove_leftovers(session)
    assert disk.ref in {image.ref for image in pool.all("VDI")}


def test_a_disk_of_a_guest_has_no_mark_even_if_its_worker_is_killed_while_it_is_plugged_in(
    pool: Pool, session: XenSession, log_in: Connect, order: Order
) -> None:
    guest = pool.vm()["uuid"]
    guest_start(session, guest)
    order(pool, "Async.VBD.plug", effect="end sessions")
    with pytest.raises((SimplestackError, XenAPI.Failure)):
        disk_create(session, guest, DiskCreate(size=1))
    assert len(disk_list(log_in(pool), guest)) == 2
    assert marked(pool) == []


def test_a_guest_that_was_complete_when_its_worker_was_killed_stays(
    pool: Pool, log_in: Connect, order: Order
) -> None:
    kill_in(pool, order, log_in(pool), "VM.remove_from_other_config", BY_TEMPLATE)
    age(pool)
    before = pool.counts()
    remove_leftovers(log_in(pool))
    assert (pool.counts(), marked(pool)) == (before, [])


def test_copies_that_others_make_meanwhile_are_theirs(
    pool: Pool, session: XenSession, log_in: Connect, order: Order
) -> None:
    """They have the mark of what they were copied from, and no operation of ours has made them."""
    order(pool, "VDI.clone", effect="hold")
    with ThreadPoolExecutor(1) as threads:
        creating = threads.submit(guest_create, session, BY_IMAGE)
        wait_for(lambda: pool.simulator.counts["Async.VDI.clone"], what="the clone to begin")
        other = log_in(pool)
        copy = copy_image(other, pool)
        pool.simulator.faults.clear()
        creating.result(30)
    renamed = copy_image(other, pool)
    renamed["name_label"] = "mine"
    age(pool)
    remove_leftovers(other)
    assert {copy.ref, renamed.ref} <= {image.ref for image in pool.all("VDI")}
    assert guest_create(other, GuestCreate(name="a", memory=256, image="mine")).hdd == 2


def test_a_clone_that_another_client_makes_of_an_unfinished_guest_is_theirs(
    pool: Pool, log_in: Connect, order: Order
) -> None:
    kill_in(pool, order, log_in(pool), "VM.remove_from_other_config", BY_TEMPLATE)
    session = log_in(pool)
    session.xenapi.VM.clone(pool.vm("web").ref, "mine")
    disks = {pool.simulator.database.get("VBD", ref)["VDI"] for ref in pool.vm("mine")["VBDs"]}
    age(pool)
    remove_leftovers(session)
    assert pool.vm("mine")["VBDs"]
    assert disks <= {image.ref for image in pool.all("VDI")}


def test_a_disk_that_somebody_attaches_while_leftovers_are_removed_stays(
    pool: Pool, log_in: Connect, order: Order
) -> None:
    kill_in(pool, order, log_in(pool), "VDI.set_other_config", BY_TEMPLATE)
    (disk,) = [image for image in pool.all("VDI") if image["name_label"] == "web disk 0"]
    age(pool)
    session = log_in(pool)
    before = pool.simulator.counts["VM.get_all_records"]
    order(pool, "VM.get_all_records", effect="hang")
    with ThreadPoolExecutor(1) as threads:
        removing = threads.submit(remove_leftovers, session)
        wait_for(lambda: pool.simulator.counts["VM.get_all_records"] > before, what="the disks to be listed")
        pool.share(disk, pool.vm("vm-1"))
        pool.simulator.faults.clear()
        removing.result(30)
    assert disk.ref in {image.ref for image in pool.all("VDI")}


def test_what_is_old_by_one_clock_only_stays(
    pool: Pool, log_in: Connect, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock of this worker may be fast, and another worker may be creating the guest."""
    kill_in(pool, order, log_in(pool), "VBD.create", BY_IMAGE)
    age(pool, hours=26)
    slow = SimpleNamespace(now=lambda zone: dt.datetime.now(zone) - dt.timedelta(hours=2))
    monkeypatch.setattr("simulators.xapi.plugs.datetime", slow)
    before = pool.counts()
    remove_leftovers(log_in(pool))
    assert pool.counts() == before


def test_a_guest_whose_last_start_cannot_be_read_stays(pool: Pool, log_in: Connect, order: Order) -> None:
    kill_in(pool, order, log_in(pool), "VBD.create", BY_IMAGE)
    age(pool)
    metrics = pool.simulator.database.get("VM_metrics", pool.vm("web")["metrics"])
    metrics["start_time"] = SimpleNamespace(strftime=lambda _format: "yesterday")
    remove_leftovers(log_in(pool))
    assert pool.vm("web")


def test_a_clone_has_no_mark_of_its_original(pool: Pool, log_in: Connect, order: Order) -> None:
    """The mark has the name of the clone, if the client clones because the create failed."""
    kill_in(pool, order, log_in(pool), "Async.VM.clone", GuestCreate(name="web", template="vm-0"))
    assert "vm-0" in [found["name_label"] for found in marked(pool)]
    session = log_in(pool)
    made = guest_clone(session, pool.vm("vm-0")["uuid"], "web", None)
    age(pool)
    assert guest_create(session, GuestCreate(name="other", template="web")).hdd == made.hdd
    remove_leftovers(session)
    assert guest_info(session, made.id).hdd == made.hdd


def test_an_import_has_no_mark_of_the_exported_guest(pool: Pool, log_in: Connect, order: Order) -> None:
    """XAPI knows no longer that the guest was started."""
    kill_in(pool, order, log_in(pool), "VDI.remove_from_other_config", BY_IMAGE)
    session, adopted = log_in(pool), pool.vm("web")["uuid"]
    guest_start(session, adopted)
    guest_shutdown(session, adopted, force=True)
    data = b"".join(guest_export(session, adopted).chunks)
    guest_delete(session, adopted)
    made = guest_import(session, Upload(data), len(data), None, None)
    age(pool)
    remove_leftovers(session)
    assert guest_info(session, made.id).hdd == made.hdd


def test_tasks_that_nobody_ends_are_ended_and_imports_that_run_are_not(
    pool: Pool, session: XenSession, log_in: Connect, order: Order
) -> None:
    data = b"".join(guest_export(session, pool.vm()["uuid"]).chunks)
    stale = pool.simulator.database.get("task", session.tasks.create("import"))
    stale["created"] = dt.datetime.now(dt.UTC) - dt.timedelta(hours=26)
    foreign = pool.simulator.database.get("task", session.xenapi.task.create("import", "by others"))
    foreign["created"] = stale["created"]
    order(pool, "import", effect="hold")
    with ThreadPoolExecutor(1) as threads:
        other = log_in(pool)
        importing = threads.submit(guest_import, other, Upload(data), len(data), None, None)
        wait_for(lambda: pool.count("VM") > 6, what="the import to be under way")
        remove_leftovers(session)
        assert stale.ref not in [task.ref for task in pool.all("task")]
        assert foreign.ref in [task.ref for task in pool.all("task")]
        pool.simulator.faults.clear()
        assert importing.result(30).hdd == 8


def test_the_first_moment_is_a_time_of_a_mark(pool: Pool, session: XenSession) -> None:
    vm = pool.vm()
    vm["other_config"] = vm["other_config"] | {
        f"{PREFIX}x": '{"since": "0001-01-01T00:00:00Z", "name": "vm-0"}'
    }
    remove_leftovers(session)
    assert pool.vm("vm-0")
    assert marked(pool) == []


def test_marks_that_are_none_are_left_alone(pool: Pool, session: XenSession) -> None:
    vm = pool.vm()
    vm["other_config"] = vm["other_config"] | {
        f"{PREFIX}x": "yesterday",
        f"{PREFIX}y": "[]",
        f"{PREFIX}z": '{"since": "2020-01-01T00:00:00", "name": "vm-0"}',
    }
    before = pool.counts()
    remove_leftovers(session)
    assert pool.counts() == before
    assert len(disk_list(session, vm["uuid"])) == 1


def test_what_there_is_no_time_for_is_removed_at_the_next_look(
    pool: Pool, log_in: Connect, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_in(pool, order, log_in(pool), "VDI.remove_from_other_config", BY_IMAGE)
    age(pool)
    session = log_in(pool)
    with monkeypatch.context() as context:
        context.setattr(leftovers, "_REMOVAL_SECONDS", 0)
        remove_leftovers(session)
        assert "web" in [vm["name_label"] for vm in pool.all("VM")]
    remove_leftovers(session)
    assert "web" not in [vm["name_label"] for vm in pool.all("VM")]
