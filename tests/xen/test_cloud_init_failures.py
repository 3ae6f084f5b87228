"""What operations with data for cloud-init could do to others, and what they leave when they fail."""

import io

import msgspec
import pytest

from simplestack import (
    Conflict,
    GuestCreate,
    HostNotAllowed,
    OperationTimeout,
    SimplestackError,
)
from simplestack_xen.hooks.disks import disk_list
from simplestack_xen.hooks.guests import guest_clone, guest_delete, guest_info
from simplestack_xen.hooks.guests_create import guest_create
from simplestack_xen.hooks.transfer import guest_export, guest_import
from simplestack_xen.sdk import XenAPI
from simplestack_xen.xapi.cloud_init import remove_copied_data
from simplestack_xen.xapi.leftovers import remove_leftovers
from simplestack_xen.xapi.lookups import Vm
from simplestack_xen.xapi.records import VmRecord
from simplestack_xen.xapi.session import XenSession
from support.xapi import Pool

from .cloud_init_guests import COPIES, DATA, KEY, SECRET, WANTED, New, content, secrets_in, seeds
from .conftest import Connect, Order
from .test_leftovers import age, marked
from .test_transfer import other_host


@pytest.mark.parametrize("make", COPIES)
def test_a_copy_loses_the_data_of_its_original_which_keeps_it(
    pool: Pool, session: XenSession, web: str, make: New
) -> None:
    (before,) = seeds(pool)
    was, counts = content(pool, before), pool.counts()
    copy = make(session, web)
    assert seeds(pool) == [before]
    assert content(pool, before) == was
    assert secrets_in(pool) == ["web cloud-init"]
    assert KEY not in pool.vm("copy")["other_config"]
    assert pool.vm("web")["other_config"][KEY] == web
    assert len(disk_list(session, copy)) == 1
    assert guest_info(session, copy).hdd == guest_info(session, web).hdd == 1
    guest_delete(session, copy)
    assert pool.counts() == counts


def test_an_image_that_another_drive_has_too_is_not_destroyed(
    pool: Pool, session: XenSession, web: str
) -> None:
    (image,), other = seeds(pool), pool.vm("vm-1")
    was, drives_before = content(pool, image), list(other["VBDs"])
    pool.share(image, other)
    other["other_config"] = other["other_config"] | {KEY: web}
    record = session.api.read(VmRecord, "VM.get_record", other.ref)
    assert remove_copied_data(session, Vm(other.ref, record)) == []
    assert (seeds(pool), content(pool, image)) == ([image], was)
    assert other["VBDs"] == drives_before
    assert KEY not in other["other_config"]


def test_a_guest_keeps_its_own_data_whatever_is_done_to_copies(
    pool: Pool, session: XenSession, web: str
) -> None:
    vm = pool.vm("web")
    record = session.api.read(VmRecord, "VM.get_record", vm.ref)
    assert remove_copied_data(session, Vm(vm.ref, record)) == []
    assert len(seeds(pool, "web")) == 1


def test_data_that_another_guest_has_too_is_kept_and_named_when_the_guest_is_deleted(
    pool: Pool, session: XenSession, web: str, warned: list[str]
) -> None:
    (image,) = seeds(pool)
    pool.share(image, pool.vm("vm-1"))
    guest_delete(session, web)
    assert seeds(pool) == [image]
    assert any(image["uuid"] in text and "web cloud-init" in text for text in warned)


@pytest.mark.parametrize(
    "message",
    [
        *("VDI.create", "VBD.create", "task.create", "import_raw_vdi", "VM.get_record", "VDI.get_record"),
        *("VM.add_to_other_config", "VDI.add_to_other_config", "VM.remove_from_other_config"),
        *("VDI.remove_from_other_config", "Async.VDI.destroy", "Async.VM.clone", "VBD.get_record"),
    ],
)
@pytest.mark.parametrize("way", ["create", "clone", "of a template"])
def test_a_failure_at_any_step_leaves_nothing_behind(
    pool: Pool, session: XenSession, order: Order, message: str, way: str
) -> None:
    web = guest_create(session, WANTED).id
    before, (was,) = pool.counts(), seeds(pool)
    errors: list[Exception] = []
    for after in range(40):
        order(pool, message, code="INTERNAL_ERROR", parameters=["it broke"], after=after)
        copy = None
        try:
            if way == "create":
                copy = guest_create(session, msgspec.structs.replace(WANTED, name="copy"))
            elif way == "clone":
                copy = guest_clone(session, web, "copy", DATA)
            else:
                wanted = GuestCreate(name="copy", template=web, user_data=DATA.user_data)
                copy = guest_create(session, wanted)
        except (XenAPI.Failure, SimplestackError) as error:
            errors.append(error)
        is_over = pool.simulator.faults._rules != []
        pool.simulator.faults.clear()
        if copy is not None:
            guest_delete(session, copy.id)
        assert pool.counts() == before
        assert seeds(pool) == [was]
        if is_over:
            break
    assert is_over
    assert errors or way == "create"
    assert SECRET not in repr(errors)


def test_a_copy_whose_data_cannot_be_removed_is_removed(
    pool: Pool, session: XenSession, web: str, order: Order
) -> None:
    before = pool.counts()
    for make in COPIES[:2]:
        order(pool, "Async.VDI.destroy", code="SR_BACKEND_FAILURE_46", parameters=["", "no", ""])
        with pytest.raises(XenAPI.Failure, match="SR_BACKEND_FAILURE_46"):
            make(session, web)
        assert pool.counts() == before
    image = b"".join(guest_export(session, web).chunks)
    order(pool, "Async.VDI.destroy", code="SR_BACKEND_FAILURE_46", parameters=["", "no", ""])
    with pytest.raises(XenAPI.Failure, match="SR_BACKEND_FAILURE_46"):
        guest_import(session, io.BytesIO(image), len(image), None, None)
    assert pool.counts() == before


def test_nothing_that_xapi_logs_or_shows_has_the_data(pool: Pool, session: XenSession) -> None:
    journal = pool.simulator.journal = []
    made = guest_create(session, WANTED)
    guest_clone(session, made.id, "copy", DATA)
    assert SECRET not in repr([call.parameters for call in journal])
    for class_name in ("VM", "VDI", "VBD", "task"):
        assert SECRET not in "".join(found.xml for found in pool.all(class_name))


@pytest.mark.parametrize("message", ["VDI.create", "import_raw_vdi", "VBD.create", "VM.add_to_other_config"])
@pytest.mark.parametrize("way", ["create", "clone"])
def test_what_a_killed_worker_leaves_is_removed_when_it_is_old(
    pool: Pool, log_in: Connect, order: Order, message: str, way: str
) -> None:
    session = log_in(pool)
    web = guest_create(session, WANTED).id
    before, was = pool.counts(), seeds(pool)
    # A create adds a CD drive and a disk first; a clone, a mark to the original.
    after = {"create VDI.create": 1, "create VBD.create": 2, "clone VM.add_to_other_config": 1}
    order(pool, message, effect="end sessions", after=after.get(f"{way} {message}", 0))
    ways = {
        "create": lambda: guest_create(session, msgspec.structs.replace(WANTED, name="copy")),
        "clone": lambda: guest_clone(session, web, "copy", DATA),
    }
    with pytest.raises((XenAPI.Failure, SimplestackError)):
        ways[way]()
    assert pool.count("VM") == before["VM"] + 1
    session = log_in(pool)
    age(pool)
    remove_leftovers(session)
    assert pool.counts() | {"task": before["task"]} == before
    assert seeds(pool) == was
    assert marked(pool) == []


def test_a_copy_that_a_killed_worker_leaves_with_its_originals_data_is_removed(
    pool: Pool, log_in: Connect, order: Order
) -> None:
    session = log_in(pool)
    web = guest_create(session, WANTED).id
    was = seeds(pool)
    order(pool, "Async.VDI.destroy", effect="end sessions")
    with pytest.raises((XenAPI.Failure, SimplestackError)):
        guest_clone(session, web, "copy", None)
    assert len(seeds(pool)) == 2
    session = log_in(pool)
    age(pool)
    remove_leftovers(session)
    assert seeds(pool) == was
    assert [vm["name_label"] for vm in pool.all("VM")].count("copy") == 0


def test_a_host_that_reads_no_further_ends_the_create_at_its_time_limit(
    pool: Pool, log_in: Connect, order: Order
) -> None:
    session = log_in(pool, call_timeout_seconds=1)
    before = pool.counts()
    order(pool, "import_raw_vdi", effect="hold")
    with pytest.raises(OperationTimeout, match="the import of a disk did not end within 1 s"):
        guest_create(session, WANTED)
    assert pool.counts() == before


@pytest.mark.parametrize("effect", ["drop before", "hang"])
def test_a_host_that_does_not_answer_gets_nothing(
    pool: Pool, log_in: Connect, order: Order, effect: str
) -> None:
    session = log_in(pool, call_timeout_seconds=1)
    before = pool.counts()
    order(pool, "import_raw_vdi", effect=effect)
    with pytest.raises(SimplestackError) as raised:
        guest_create(session, WANTED)
    pool.simulator.faults.clear()
    assert SECRET not in raised.value.message
    # A task whose operation never began ends with the leftovers, as that of an import does.
    assert pool.counts() | {"task": before["task"]} == before


def test_the_data_goes_to_another_host_of_the_pool_but_to_no_other(pool: Pool, session: XenSession) -> None:
    with other_host(pool):
        guest_delete(session, guest_create(session, WANTED).id)
    before = pool.counts()
    pool.server.redirect_to = "https://192.0.2.1"
    with pytest.raises(HostNotAllowed):
        guest_create(session, WANTED)
    pool.server.redirect_to = None
    assert pool.counts() == before


def test_a_user_who_may_not_write_disks_is_told_so_and_leaves_nothing(
    pool: Pool, session: XenSession, order: Order
) -> None:
    before = pool.counts()
    order(pool, "import_raw_vdi", code="RBAC_PERMISSION_DENIED", parameters=["http/put_import_raw_vdi", ""])
    with pytest.raises(XenAPI.Failure, match="RBAC_PERMISSION_DENIED"):
        guest_create(session, WANTED)
    assert pool.counts() == before


def test_a_clone_with_data_needs_a_name_of_its_own(pool: Pool, session: XenSession, web: str) -> None:
    before = pool.counts()
    with pytest.raises(Conflict):
        guest_clone(session, web, "vm-1", DATA)
    assert pool.counts() == before
