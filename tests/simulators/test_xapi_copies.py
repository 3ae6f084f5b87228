"""Templates, clones and snapshots of the XAPI simulator."""

from typing import Any

import pytest

from simulators.refusals import refused

GIB = 1024**3
NULL = "OpaqueRef:NULL"


def disks(session: Any, vm: str) -> list[str]:
    """Return the disks of a VM, the first device's first."""
    drives = [session.xenapi.VBD.get_record(ref) for ref in session.xenapi.VM.get_VBDs(vm)]
    return [found["VDI"] for found in sorted(drives, key=lambda found: found["userdevice"])]


def macs(session: Any, vm: str) -> list[str]:
    return [session.xenapi.VIF.get_MAC(ref) for ref in session.xenapi.VM.get_VIFs(vm)]


@pytest.mark.parametrize("message", ["clone", "copy"])
def test_a_clone_has_disks_and_macs_of_its_own(session: Any, vm: str, message: str) -> None:
    api = session.xenapi
    more = [NULL] if message == "copy" else []
    made = getattr(api.VM, message)(vm, "twin", *more)
    assert (api.VM.get_name_label(made), api.VM.get_power_state(made)) == ("twin", "Halted")
    assert api.VM.get_uuid(made) != api.VM.get_uuid(vm)
    (disk,), (other,) = disks(session, vm), disks(session, made)
    assert disk != other
    assert api.VDI.get_virtual_size(disk) == api.VDI.get_virtual_size(other)
    assert macs(session, made) != macs(session, vm)
    api.VM.start(vm, False, False)
    assert refused(getattr(api.VM, message), vm, "third", *more) == [
        "VM_BAD_POWER_STATE",
        vm,
        "halted",
        "running",
    ]


def test_a_clone_that_finds_no_room_is_refused(session: Any, server: Any, vm: str) -> None:
    api = session.xenapi
    (storage,) = api.SR.get_by_name_label("Local storage")
    server.simulator.database.get("SR", storage)["physical_size"] = int(
        api.SR.get_physical_utilisation(storage)
    )
    before = {name: getattr(api, name).get_all() for name in ("VM", "VM_metrics", "VDI", "VBD", "VIF")}
    assert refused(api.VM.clone, vm, "twin")[0] == "SR_FULL"
    assert refused(api.VM.snapshot, vm, "kept")[0] == "SR_FULL"
    assert {name: getattr(api, name).get_all() for name in before} == before
    assert api.VM.get_snapshots(vm) == []


def test_a_vm_that_finds_no_room_to_go_back_stays_as_it_is(session: Any, server: Any, vm: str) -> None:
    api = session.xenapi
    snapshot = api.VM.snapshot(vm, "before")
    (storage,) = api.SR.get_by_name_label("Local storage")
    server.simulator.database.get("SR", storage)["physical_size"] = int(
        api.SR.get_physical_utilisation(storage)
    )
    before = disks(session, vm), api.VDI.get_all()
    assert refused(api.VM.revert, snapshot)[0] == "SR_FULL"
    assert (disks(session, vm), api.VDI.get_all()) == before


def test_a_template_is_cloned_and_provisioned(session: Any, vm: str) -> None:
    api = session.xenapi
    (storage,) = api.SR.get_by_name_label("Local storage")
    api.VM.set_is_a_template(vm, True)
    made = api.VM.clone(vm, "from-template")
    assert api.VM.get_is_a_template(made)
    uuid = api.SR.get_uuid(storage)
    wanted = (
        f'<provision><disk device="1" size="{GIB}" sr="{uuid}" bootable="false" type="user"/></provision>'
    )
    api.VM.add_to_other_config(made, "disks", wanted)
    api.VM.provision(made)
    assert not api.VM.get_is_a_template(made)
    assert "disks" not in api.VM.get_other_config(made)
    _, second = disks(session, made)
    assert api.VDI.get_virtual_size(second) == str(GIB)
    api.VM.start(made, False, False)


def test_the_template_that_is_always_there_makes_vms_and_stays(session: Any) -> None:
    api = session.xenapi
    (template,) = api.VM.get_by_name_label("Other install media")
    made = api.VM.clone(template, "from-media")
    api.VM.provision(made)
    (disk,) = disks(session, made)
    (pool,) = api.pool.get_all()
    assert api.VDI.get_SR(disk) == api.pool.get_default_SR(pool)
    assert api.VDI.get_virtual_size(disk) == str(8 * GIB)
    assert not api.VM.get_is_default_template(made)
    assert refused(api.VM.destroy, template)[0] == "OPERATION_NOT_ALLOWED"


def test_a_snapshot_is_a_vm_that_knows_whose_it_is(session: Any, vm: str) -> None:
    api = session.xenapi
    first = api.VM.snapshot(vm, "first")
    second = api.VM.snapshot(vm, "second")
    record = api.VM.get_record(first)
    assert (record["is_a_snapshot"], record["is_a_template"], record["snapshot_of"]) == (True, True, vm)
    assert record["snapshot_time"].value > "20200101T00:00:00Z"
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


def test_a_vm_goes_back_to_a_snapshot_with_new_disks(session: Any, vm: str) -> None:
    api = session.xenapi
    snapshot = api.VM.snapshot(vm, "before")
    (disk,) = disks(session, vm)
    api.VDI.resize(disk, str(16 * GIB))
    api.VM.set_name_description(vm, "changed")
    api.VM.start(vm, False, False)
    api.VM.revert(snapshot)
    assert (api.VM.get_power_state(vm), api.VM.get_name_description(vm)) == ("Halted", "")
    assert api.VM.get_name_label(vm) == "vm-0"
    (new,) = disks(session, vm)
    assert new != disk
    assert refused(api.VDI.get_record, disk) == ["HANDLE_INVALID", "VDI", disk]
    assert api.VDI.get_virtual_size(new) == str(8 * GIB)
    assert api.VM.get_snapshots(vm) == [snapshot]
    assert refused(api.VM.revert, vm)[0] == "OPERATION_NOT_ALLOWED"


def test_a_checkpoint_keeps_a_running_vm(session: Any, vm: str) -> None:
    api = session.xenapi
    assert refused(api.VM.checkpoint, vm, "live")[0] == "VM_BAD_POWER_STATE"
    api.VM.start(vm, False, False)
    checkpoint = api.VM.checkpoint(vm, "live")
    api.VM.hard_shutdown(vm)
    api.VM.revert(checkpoint)
    assert api.VM.get_power_state(vm) == "Suspended"
    api.VM.resume(vm, False, False)
    assert api.VM.get_power_state(vm) == "Running"


def test_a_vm_is_destroyed_when_it_is_off_and_its_disks_stay(session: Any, vm: str) -> None:
    api = session.xenapi
    (disk,) = disks(session, vm)
    (interface,) = api.VM.get_VIFs(vm)
    api.VM.start(vm, False, False)
    assert refused(api.VM.destroy, vm) == ["VM_BAD_POWER_STATE", vm, "halted", "running"]
    api.VM.hard_shutdown(vm)
    snapshot = api.VM.snapshot(vm, "left")
    api.VM.destroy(vm)
    assert refused(api.VM.get_record, vm) == ["HANDLE_INVALID", "VM", vm]
    assert refused(api.VIF.get_record, interface) == ["HANDLE_INVALID", "VIF", interface]
    assert (api.VDI.get_VBDs(disk), api.VM.get_snapshot_of(snapshot)) == ([], NULL)


def test_a_vm_is_made_of_a_record(session: Any, vm: str) -> None:
    api = session.xenapi
    record = api.VM.get_record(vm)
    made = api.VM.create(record | {"name_label": "new"})
    assert (api.VM.get_name_label(made), api.VM.get_VBDs(made)) == ("new", [])
    assert api.VM.get_uuid(made) != record["uuid"]
    del record["memory_static_max"]
    assert refused(api.VM.create, record) == ["FIELD_TYPE_ERROR", "args"]
