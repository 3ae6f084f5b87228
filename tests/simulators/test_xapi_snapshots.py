"""Snapshots and suspend images of the XAPI simulator, and the way back."""

from typing import Any

import pytest

from simulators.records import GIB, NULL, disk_values, drive_values
from simulators.refusals import refused
from simulators.vms import disks, macs
from simulators.xapi.server import Server

MEMORY = 512 * 1024**2


def images(session: Any) -> list[str]:
    """Return the suspend images there are."""
    records = session.xenapi.VDI.get_all_records().items()
    return [ref for ref, record in records if record["type"] == "suspend"]


def leave_room(server: Server, storage: str, size: int) -> None:
    """Leave so much room in a storage; less than none means that what is deleted gives none back."""
    found = server.simulator.database.get("SR", storage)
    found["physical_size"] = found["physical_utilisation"] + size


def test_a_snapshot_is_a_vm_that_knows_whose_it_is(session: Any, vm: str) -> None:
    api = session.xenapi
    first = api.VM.snapshot(vm, "first")
    second = api.VM.snapshot(vm, "second")
    record = api.VM.get_record(first)
    assert (record["is_a_snapshot"], record["is_a_template"], record["snapshot_of"]) == (True, True, vm)
    assert record["snapshot_time"].value > "20200101T00:00:00Z"
    assert record["snapshot_info"] == {
        "power-state-at-snapshot": "Halted",
        "disk-snapshot-type": "crash_consistent",
    }
    assert api.VM.get_snapshots(vm) == [first, second]
    assert (api.VM.get_parent(vm), api.VM.get_parent(second), api.VM.get_parent(first)) == (
        second,
        first,
        NULL,
    )
    (disk,), (kept,) = disks(session, vm), disks(session, first)
    assert (api.VDI.get_is_a_snapshot(kept), api.VDI.get_snapshot_of(kept)) == (True, disk)
    assert kept in api.VDI.get_snapshots(disk)
    assert macs(session, first) == macs(session, vm)
    api.VM.destroy(first)
    assert api.VM.get_snapshots(vm) == [second]
    assert api.VM.get_parent(second) == NULL
    api.VDI.destroy(kept)
    assert kept not in api.VDI.get_snapshots(disk)


@pytest.mark.parametrize("state", ["Running", "Paused", "Suspended"])
def test_a_snapshot_of_a_vm_in_any_state_is_off(session: Any, vm: str, state: str) -> None:
    api = session.xenapi
    api.VM.start(vm, state == "Paused", False)
    if state == "Suspended":
        api.VM.suspend(vm)
    record = api.VM.get_record(api.VM.snapshot(vm, "kept"))
    assert record["snapshot_info"]["power-state-at-snapshot"] == state
    assert (record["power_state"], record["suspend_VDI"]) == ("Halted", NULL)
    assert not api.VBD.get_currently_attached(record["VBDs"][0])
    assert api.VM_guest_metrics.get_networks(record["guest_metrics"])


def test_a_guest_is_quiesced_where_it_can(session: Any, server: Server, vm: str) -> None:
    api = session.xenapi
    api.VM.start(vm, False, False)
    refusal = ["VM_SNAPSHOT_WITH_QUIESCE_NOT_SUPPORTED", vm]
    assert refused(api.VM.snapshot_with_quiesce, vm, "kept") == refusal
    told = server.simulator.database.get("VM_guest_metrics", api.VM.get_guest_metrics(vm))
    told["other"] = {**told["other"], "feature-quiesce": "1"}
    kept = api.VM.snapshot_with_quiesce(vm, "kept")
    assert api.VM.get_snapshot_info(kept)["disk-snapshot-type"] == "quiesced"


def test_a_vm_goes_back_with_new_disks_again_and_again(session: Any, vm: str, storage: str) -> None:
    api = session.xenapi
    snapshot = api.VM.snapshot(vm, "before")
    (disk,) = disks(session, vm)
    api.VDI.resize(disk, str(16 * GIB))
    late = api.VDI.create(disk_values(storage))
    api.VBD.create(drive_values(vm, late))
    api.VM.start(vm, False, False)
    for _ in range(2):
        (before, *_others) = disks(session, vm)
        api.VM.revert(snapshot)
        (after,) = disks(session, vm)
        assert refused(api.VDI.get_record, before) == ["HANDLE_INVALID", "VDI", before]
        assert api.VDI.get_virtual_size(after) == str(8 * GIB)
        (kept,) = disks(session, snapshot)
        assert (api.VDI.get_snapshot_of(kept), api.VDI.get_snapshots(after)) == (after, [kept])
        assert api.VM.get_power_state(vm) == "Halted"
        assert api.VM.get_snapshots(vm) == [snapshot]
    assert api.VDI.get_VBDs(late) == []
    assert refused(api.VM.revert, vm) == ["REVERT_ONLY_ALLOWED_ON_SNAPSHOT"]


def test_a_vm_that_goes_back_is_what_it_was(session: Any, vm: str) -> None:
    api = session.xenapi
    api.VM.add_to_blocked_operations(vm, "start", "then")
    before = api.VM.get_record(vm)
    snapshot = api.VM.snapshot(vm, "before")
    api.VM.set_name_label(vm, "renamed")
    api.VM.set_name_description(vm, "changed")
    api.VM.set_tags(vm, ["late"])
    api.VM.add_to_other_config(vm, "key", "late")
    api.VM.set_memory(vm, str(GIB))
    api.VM.set_HVM_boot_policy(vm, "")
    api.VM.set_ha_restart_priority(vm, "restart")
    api.VM.remove_from_blocked_operations(vm, "start")
    api.VM.set_is_a_template(vm, True)
    assert refused(api.VM.revert, snapshot) == ["VM_IS_TEMPLATE", vm, "reverting"]
    api.VM.set_is_a_template(vm, False)
    api.VM.revert(snapshot)
    after = api.VM.get_record(vm)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"VBDs", "VIFs", "tags", "snapshots", "parent"}
    assert (after["tags"], after["snapshots"], after["parent"]) == (["late"], [snapshot], snapshot)


@pytest.mark.parametrize(
    ("kind", "code"),
    [("simulated", "SR_FULL"), ("lvm", "SR_BACKEND_FAILURE_44"), ("hba", "VM_REVERT_FAILED")],
)
def test_a_vm_that_finds_no_way_back_is_off_and_has_no_disks(
    session: Any, server: Server, vm: str, kind: str, code: str
) -> None:
    api = session.xenapi
    snapshot = api.VM.snapshot(vm, "before")
    (disk,) = disks(session, vm)
    storage = api.VDI.get_SR(disk)
    api.VM.start(vm, False, False)
    server.simulator.database.get("SR", storage)["type"] = kind
    leave_room(server, storage, -8 * GIB)
    refusal = refused(api.VM.revert, snapshot)
    assert refusal[0] == code
    assert code != "VM_REVERT_FAILED" or refusal[1:] == [snapshot, vm]
    assert (api.VM.get_power_state(vm), disks(session, vm)) == ("Halted", [])
    is_there = disk in api.VDI.get_all()
    assert is_there == (kind == "hba")


def test_a_vm_that_was_destroyed_comes_back_from_its_snapshot(session: Any, vm: str) -> None:
    api = session.xenapi
    snapshot, other = api.VM.snapshot(vm, "left"), api.VM.snapshot(vm, "other")
    uuid = api.VM.get_uuid(vm)
    api.VM.destroy(vm)
    assert api.VM.get_snapshot_of(snapshot) == vm
    api.VM.revert(snapshot)
    made = api.VM.get_snapshot_of(snapshot)
    assert made == api.VM.get_by_uuid(uuid)
    assert (api.VM.get_name_label(made), len(disks(session, made))) == ("vm-0", 1)
    assert sorted(api.VM.get_snapshots(made)) == sorted([snapshot, other])


def test_a_suspended_vm_has_an_image_and_its_devices(session: Any, vm: str, storage: str) -> None:
    api = session.xenapi
    used = int(api.SR.get_physical_utilisation(storage))
    api.VM.start(vm, False, False)
    api.VM.suspend(vm)
    record = api.VM.get_record(vm)
    image = api.VDI.get_record(record["suspend_VDI"])
    assert (image["name_label"], image["type"], image["SR"]) == ("Suspend image", "suspend", storage)
    assert int(api.SR.get_physical_utilisation(storage)) == used + MEMORY
    assert (record["resident_on"], record["domid"]) == (NULL, "-1")
    drive, interface = record["VBDs"][0], record["VIFs"][0]
    assert (api.VBD.get_currently_attached(drive), api.VIF.get_currently_attached(interface)) == (True, True)
    assert refused(api.VBD.destroy, drive)[0] == "OPERATION_NOT_ALLOWED"
    api.VIF.destroy(interface)
    assert api.VM_guest_metrics.get_networks(record["guest_metrics"])
    api.VM.resume(vm, False, False)
    assert (api.VM.get_suspend_VDI(vm), images(session)) == (NULL, [])
    assert api.VM.get_guest_metrics(vm) == record["guest_metrics"]
    api.VM.suspend(vm)
    api.VM.hard_shutdown(vm)
    assert (api.VM.get_suspend_VDI(vm), images(session)) == (NULL, [])
    assert int(api.SR.get_physical_utilisation(storage)) == used


def test_a_vm_without_room_for_its_memory_runs_on(
    session: Any, server: Server, vm: str, storage: str
) -> None:
    api = session.xenapi
    api.VM.start(vm, False, False)
    leave_room(server, storage, 0)
    assert refused(api.VM.suspend, vm) == ["SR_FULL", str(MEMORY), "0"]
    (pool,) = api.pool.get_all()
    api.pool.set_suspend_image_SR(pool, NULL)
    assert refused(api.VM.suspend, vm) == ["VM_NO_SUSPEND_SR", vm]
    assert api.VM.get_power_state(vm) == "Running"
    assert api.VM.get_domid(vm) != "-1"


def test_a_suspended_vm_is_destroyed_and_leaves_its_image(session: Any, vm: str) -> None:
    api = session.xenapi
    api.VM.start(vm, False, False)
    api.VM.suspend(vm)
    image = api.VM.get_suspend_VDI(vm)
    api.VM.destroy(vm)
    assert images(session) == [image]


def test_a_checkpoint_keeps_a_running_vm_and_goes_back_to_it(session: Any, vm: str) -> None:
    api = session.xenapi
    assert refused(api.VM.checkpoint, vm, "live") == [
        *("VM_BAD_POWER_STATE", vm),
        *("paused, suspended, running", "halted"),
    ]
    api.VM.start(vm, False, False)
    checkpoint = api.VM.checkpoint(vm, "live")
    assert (api.VM.get_power_state(vm), api.VM.get_suspend_VDI(vm)) == ("Running", NULL)
    kept = api.VM.get_record(checkpoint)
    assert (kept["power_state"], images(session)) == ("Suspended", [kept["suspend_VDI"]])
    assert kept["snapshot_info"]["power-state-at-snapshot"] == "Running"
    for _ in range(2):
        api.VM.revert(checkpoint)
        image = api.VM.get_suspend_VDI(vm)
        assert api.VM.get_power_state(vm) == "Suspended"
        assert sorted(images(session)) == sorted([kept["suspend_VDI"], image])
    assert api.VBD.get_currently_attached(api.VM.get_VBDs(vm)[0])
    api.VM.resume(vm, False, False)
    assert (api.VM.get_power_state(vm), images(session)) == ("Running", [kept["suspend_VDI"]])
    api.VM.destroy(checkpoint)
    assert images(session) == [kept["suspend_VDI"]]


def test_a_vm_that_finds_no_room_for_its_memory_on_the_way_back_has_no_disks(
    session: Any, server: Server, vm: str, storage: str
) -> None:
    api = session.xenapi
    api.VM.start(vm, False, False)
    checkpoint = api.VM.checkpoint(vm, "live")
    before = set(api.VDI.get_all()) - set(disks(session, vm))
    leave_room(server, storage, MEMORY // 2)
    assert refused(api.VM.revert, checkpoint)[0] == "SR_FULL"
    assert (api.VM.get_power_state(vm), disks(session, vm)) == ("Halted", [])
    assert set(api.VDI.get_all()) == before
    leave_room(server, storage, 16 * GIB)
    api.VM.revert(checkpoint)
    assert (api.VM.get_power_state(vm), len(disks(session, vm))) == ("Suspended", 1)


def test_a_clone_of_a_checkpoint_is_off(session: Any, vm: str) -> None:
    api = session.xenapi
    api.VM.start(vm, False, False)
    checkpoint = api.VM.checkpoint(vm, "live")
    made = api.VM.clone(checkpoint, "twin")
    record = api.VM.get_record(made)
    assert (record["power_state"], record["is_a_snapshot"], record["is_a_template"]) == (
        "Halted",
        False,
        True,
    )
    assert not api.VBD.get_currently_attached(record["VBDs"][0])


def test_what_a_guest_told_stays_until_it_starts_again(session: Any, vm: str) -> None:
    api = session.xenapi
    api.VM.start(vm, False, False)
    told = api.VM.get_guest_metrics(vm)
    address = api.VM_guest_metrics.get_networks(told)["0/ip"]
    api.VM.hard_shutdown(vm)
    assert api.VM.get_guest_metrics(vm) == told
    twin = api.VM.get_guest_metrics(api.VM.clone(vm, "twin"))
    assert twin != told
    assert api.VM_guest_metrics.get_networks(twin)["0/ip"] == address
    api.VM.start(vm, False, False)
    assert refused(api.VM_guest_metrics.get_record, told)[0] == "HANDLE_INVALID"
    assert api.VM_guest_metrics.get_networks(api.VM.get_guest_metrics(vm))["0/ip"] != address
    api.VM.hard_shutdown(vm)
    told = api.VM.get_guest_metrics(vm)
    api.VM.destroy(vm)
    assert refused(api.VM_guest_metrics.get_record, told)[0] == "HANDLE_INVALID"
