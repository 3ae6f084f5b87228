"""The way back to a snapshot: what becomes of the disks, and what is said where it fails."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote

import pytest

from simplestack import (
    Busy,
    Conflict,
    DiskCreate,
    HypervisorError,
    InsufficientStorage,
    OperationTimeout,
)
from simplestack_xen.hooks.disks import disk_create, disk_list
from simplestack_xen.hooks.guests import guest_info
from simplestack_xen.hooks.snapshots import snapshot_create, snapshot_revert
from simplestack_xen.sdk import XenAPI
from simplestack_xen.xapi.session import XenSession
from simulators.xapi.faults import Rule
from simulators.xapi.simulator import Simulator
from support.service import running_service, token, wait_for
from support.xapi import PASSWORD, USER, Pool, Trust, running_pool

from .conftest import Connect, Order


def test_it_keeps_the_name_that_the_guest_has_by_now(pool: Pool, session: XenSession, guest: str) -> None:
    """XAPI brings back the name of then, which another guest may have."""
    made = snapshot_create(session, guest, "then")
    pool.vm()["name_label"] = "web"
    pool.vm("vm-1")["name_label"] = "vm-0"
    snapshot_revert(session, guest, made.id)
    assert guest_info(session, guest).name == "web"


@pytest.mark.parametrize("reverts_disks", [False, True])
def test_a_disk_that_came_later_is_detached_and_named_and_keeps_what_is_on_it(
    trust: Trust, tmp_path: Path, reverts_disks: bool
) -> None:
    """It may be one that held somebody's data before the guest was given it."""
    headers = {"X-Simplestack-Hypervisor-Token": token(USER, PASSWORD)}
    with (
        running_pool(trust, Simulator(reverts_disks=reverts_disks)) as pool,
        running_service(tmp_path, pool.toml) as service,
    ):
        base = f"/xen/{pool.host}/guests/{pool.vm()['uuid']}"
        snapshot = service.post(f"{base}/snapshots", {"name": "then"}, headers=headers).json["id"]
        data = service.post(f"{base}/disks", {"size": 1, "name": "data"}, headers=headers).json
        (image,) = [found for found in pool.all("VDI") if found["uuid"] == data["extra_info"]]
        kept = pool.simulator.storage.content(image)
        answer = service.put(f"{base}/snapshots/{snapshot}/revert", {}, headers=headers)
        assert answer.status == 200
        assert [disk["size"] for disk in service.get(f"{base}/disks", headers=headers).json] == [8]
        assert (image["VBDs"], pool.simulator.storage.content(image)) == ([], kept)
        warning = unquote(answer.headers["x-simplestack-warning"])
        assert "disk 1 'data' was detached" in warning
        assert data["extra_info"] in warning


def test_a_disk_that_another_guest_has_too_by_now_is_not_reverted_behind_its_back(
    pool: Pool, session: XenSession, guest: str
) -> None:
    """XAPI would destroy it, or take it back, for both."""
    made = snapshot_create(session, guest, "then")
    (disk,) = disk_list(session, guest)
    (image,) = [found for found in pool.all("VDI") if found["uuid"] == disk.extra_info]
    drive = pool.share(image, pool.vm("vm-1"))
    with pytest.raises(Conflict, match="disk 0 is another guest's, too"):
        snapshot_revert(session, guest, made.id)
    assert set(image["VBDs"]) == {*pool.vm()["VBDs"], drive.ref}
    assert pool.simulator.counts["Async.VM.revert"] == 0


def test_a_disk_that_is_backed_up_just_now_is_not_reverted(
    pool: Pool, session: XenSession, guest: str
) -> None:
    made = snapshot_create(session, guest, "then")
    (disk,) = disk_list(session, guest)
    (image,) = [found for found in pool.all("VDI") if found["uuid"] == disk.extra_info]
    pool.share(image, pool.vm("Control domain on host: xen-1"))["currently_attached"] = True
    with pytest.raises(Busy, match="disk 0 is copied or backed up"):
        snapshot_revert(session, guest, made.id)
    assert pool.simulator.counts["Async.VM.revert"] == 0


def test_a_disk_that_another_guest_is_given_meanwhile_stays(
    pool: Pool, session: XenSession, guest: str, order: Order
) -> None:
    made = snapshot_create(session, guest, "then")
    later = disk_create(session, guest, DiskCreate(size=1, name="later"))
    (image,) = [found for found in pool.all("VDI") if found["uuid"] == later.extra_info]
    order(pool, "VM.revert", effect="hold")
    with ThreadPoolExecutor(1) as threads:
        reverting = threads.submit(snapshot_revert, session, guest, made.id)
        wait_for(lambda: pool.simulator.counts["Async.VM.revert"], what="the revert to begin")
        pool.share(image, pool.vm("vm-1"))
        pool.simulator.faults.clear()
        reverting.result(30)
    assert [disk.name for disk in disk_list(session, pool.vm("vm-1")["uuid"])] == ["vm-1 0", "later"]


@pytest.mark.parametrize("trouble", ["no room", "an error of the storage"])
def test_one_that_fails_half_way_says_what_became_of_the_guest_and_can_be_repeated(
    pool: Pool, session: XenSession, guest: str, trouble: str, order: Order
) -> None:
    made = snapshot_create(session, guest, "then")
    storage = pool.storage()
    size = storage["physical_size"]
    if trouble == "no room":
        storage["physical_size"] = 1
    else:
        order(pool, "VDI.clone", code="SR_BACKEND_FAILURE_46")
    with pytest.raises(InsufficientStorage if trouble == "no room" else HypervisorError) as failed:
        snapshot_revert(session, guest, made.id)
    assert "lacks disks; the snapshot is complete" in failed.value.message
    assert disk_list(session, guest) == []
    storage["physical_size"] = size
    snapshot_revert(session, guest, made.id)
    assert [disk.size for disk in disk_list(session, guest)] == [8]


@pytest.mark.parametrize("outcome", ["failure", "time-out"])
def test_one_that_fails_half_way_where_the_disks_are_says_that_some_may_have_changed(
    trust: Trust, log_in: Connect, outcome: str
) -> None:
    """The guest has the same drives as before, which proves nothing since 26.1.14."""
    with running_pool(trust, Simulator(reverts_disks=True)) as pool:
        session, guest = log_in(pool, call_timeout_seconds=1), pool.vm()["uuid"]
        disk_create(session, guest, DiskCreate(size=1))
        made, drives = snapshot_create(session, guest, "then"), pool.vm()["VBDs"]
        if outcome == "failure":
            pool.simulator.faults.add(Rule(message="VDI.revert", code="SR_BACKEND_FAILURE_46", after=1))
        else:
            pool.simulator.faults.add(Rule(message="VM.revert", effect="hold"))
        with pytest.raises((HypervisorError, OperationTimeout)) as failed:
            snapshot_revert(session, guest, made.id)
        assert type(failed.value) is (HypervisorError if outcome == "failure" else OperationTimeout)
        assert "some of its disks may be reverted, others not" in failed.value.message
        assert pool.vm()["VBDs"] == drives
        snapshot_revert(session, guest, made.id)


def test_one_whose_storage_is_not_connected_is_refused_before_the_guest_loses_its_disks(
    pool: Pool, session: XenSession, guest: str
) -> None:
    made = snapshot_create(session, guest, "then")
    pool.disconnect("Local storage")
    with pytest.raises(Conflict, match="storage 'Local storage' is not connected to any host"):
        snapshot_revert(session, guest, made.id)
    assert [disk.size for disk in disk_list(session, guest)] == [8]


def test_one_that_is_refused_is_no_more_than_that(pool: Pool, session: XenSession, guest: str) -> None:
    made = snapshot_create(session, guest, "then")
    pool.vm("then")["blocked_operations"] = {"revert": "precious"}
    with pytest.raises(XenAPI.Failure, match="OPERATION_BLOCKED"):
        snapshot_revert(session, guest, made.id)
    assert [disk.size for disk in disk_list(session, guest)] == [8]
