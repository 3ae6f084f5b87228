"""Templates, clones and snapshots of the XAPI simulator."""

from typing import Any

import pytest

from simulators.records import GIB, NULL
from simulators.refusals import refused
from simulators.vms import disks, macs


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


def test_the_templates_that_are_always_there_make_vms_and_stay(session: Any) -> None:
    api = session.xenapi
    (template,) = api.VM.get_by_name_label("Other install media")
    made = api.VM.clone(template, "from-media")
    config = api.VM.get_other_config(made)
    assert (config["base_template_name"], "default_template" in config) == ("Other install media", False)
    assert not api.VM.get_is_default_template(made)
    api.VM.provision(made)
    assert disks(session, made) == []
    assert not api.VM.get_is_a_template(made)
    assert refused(api.VM.destroy, template) == ["VM_IS_TEMPLATE", template, "destroy"]
    assert "destroy" not in api.VM.get_allowed_operations(template)


def test_a_template_asks_for_a_disk_in_a_storage_that_the_client_names(session: Any, storage: str) -> None:
    api = session.xenapi
    (template,) = api.VM.get_by_name_label("Debian Bookworm 12")
    made = api.VM.clone(template, "debian")
    assert refused(api.VM.provision, made) == ["UUID_INVALID", "sr", ""]
    assert (disks(session, made), api.VM.get_is_a_template(made)) == ([], False)
    assert refused(api.VM.provision, made) == ["PROVISION_ONLY_ALLOWED_ON_TEMPLATE"]
    other = api.VM.clone(template, "debian-2")
    wanted = api.VM.get_other_config(other)["disks"].replace('sr=""', f'sr="{api.SR.get_uuid(storage)}"')
    api.VM.remove_from_other_config(other, "disks")
    api.VM.add_to_other_config(other, "disks", wanted)
    api.VM.provision(other)
    (drive,) = api.VM.get_VBDs(other)
    record = api.VBD.get_record(drive)
    assert (record["unpluggable"], record["bootable"], record["other_config"]) == (False, True, {"owner": ""})
    assert api.VDI.get_virtual_size(record["VDI"]) == str(8 * GIB)


def test_a_template_is_not_made_one_again(session: Any, vm: str) -> None:
    vms = session.xenapi.VM
    vms.set_is_a_template(vm, True)
    assert refused(vms.set_is_a_template, vm, True) == ["VM_IS_TEMPLATE", vm, "make_into_template"]
    vms.set_is_a_template(vm, False)
    vms.start(vm, False, False)
    assert refused(vms.set_is_a_template, vm, True) == ["VM_BAD_POWER_STATE", vm, "halted", "running"]


def test_a_template_does_not_tell_when_it_was_started_as_a_guest(session: Any, vm: str) -> None:
    api = session.xenapi
    api.VM.start(vm, False, False)
    api.VM.hard_shutdown(vm)
    metrics = api.VM.get_metrics(vm)
    api.VM.set_is_a_template(vm, True)
    assert refused(api.VM_metrics.get_record, metrics) == ["HANDLE_INVALID", "VM_metrics", metrics]
    clone = api.VM.clone(vm, "clone")
    assert str(api.VM_metrics.get_start_time(api.VM.get_metrics(clone))).startswith("1970")


def test_a_clone_begins_anew(session: Any, vm: str) -> None:
    api = session.xenapi
    api.VM.set_tags(vm, ["blue"])
    api.VM.add_to_blocked_operations(vm, "start", "maintenance")
    made = api.VM.clone(vm, "twin")
    before, after = api.VM.get_record(vm), api.VM.get_record(made)
    assert (after["blocked_operations"], after["tags"]) == ({}, ["blue"])
    assert before["other_config"]["mac_seed"] != after["other_config"]["mac_seed"]
    (drive,) = after["VBDs"]
    assert "owner" in api.VBD.get_other_config(drive)


def test_no_vm_is_copied_among_iso_images(session: Any, vm: str) -> None:
    api = session.xenapi
    (isos,) = api.SR.get_by_name_label("ISO library")
    assert refused(api.VM.copy, vm, "twin", isos) == [
        *("OPERATION_NOT_ALLOWED", "Cannot copy a VM's disks to an ISO SR"),
    ]


def test_a_vm_is_destroyed_when_it_is_off_and_its_disks_stay(session: Any, vm: str) -> None:
    api = session.xenapi
    (disk,) = disks(session, vm)
    (interface,) = api.VM.get_VIFs(vm)
    api.VM.start(vm, False, False)
    assert refused(api.VM.destroy, vm) == ["VM_BAD_POWER_STATE", vm, "halted, suspended", "running"]
    api.VM.hard_shutdown(vm)
    snapshot = api.VM.snapshot(vm, "left")
    api.VM.destroy(vm)
    assert refused(api.VM.get_record, vm) == ["HANDLE_INVALID", "VM", vm]
    assert refused(api.VIF.get_record, interface) == ["HANDLE_INVALID", "VIF", interface]
    assert (api.VDI.get_VBDs(disk), api.VM.get_snapshot_of(snapshot)) == ([], vm)


def test_a_vm_is_made_of_a_record(session: Any, vm: str) -> None:
    api = session.xenapi
    record = api.VM.get_record(vm)
    made = api.VM.create(record | {"name_label": "new"})
    assert (api.VM.get_name_label(made), api.VM.get_VBDs(made)) == ("new", [])
    assert api.VM.get_uuid(made) != record["uuid"]
    for policy, kind in (("", "pv"), ("BIOS order", "hvm")):
        values = record | {"domain_type": "unspecified", "HVM_boot_policy": policy}
        assert api.VM.get_domain_type(api.VM.create(values)) == kind
    assert api.VM.get_domain_type(api.VM.create(record | {"domain_type": "pvh"})) == "pvh"
    del record["memory_static_max"]
    assert refused(api.VM.create, record) == ["FIELD_TYPE_ERROR", "args"]
