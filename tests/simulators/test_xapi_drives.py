"""The drives of the XAPI simulator's VMs: their devices, what is in them, and when they are plugged."""

from typing import Any

from simulators.records import NULL, disk_values, drive_values
from simulators.refusals import refused


def add_disk(session: Any, vm: str, storage: str, **others: Any) -> tuple[str, str]:
    """Give a VM another disk; return the drive and the disk."""
    disk = session.xenapi.VDI.create(disk_values(storage))
    return session.xenapi.VBD.create(drive_values(vm, disk, **others)), disk


def test_a_drive_is_plugged_unplugged_and_taken_away(session: Any, vm: str, storage: str) -> None:
    api = session.xenapi
    drive, disk = add_disk(session, vm, storage)
    assert api.VBD.get_userdevice(drive) == "1"
    assert (drive in api.VM.get_VBDs(vm), api.VDI.get_VBDs(disk)) == (True, [drive])
    assert refused(api.VBD.plug, drive) == ["VM_BAD_POWER_STATE", vm, "running", "halted"]
    api.VM.start(vm, False, False)
    assert refused(api.VBD.plug, drive) == ["DEVICE_ALREADY_ATTACHED", drive]
    assert refused(api.VBD.destroy, drive) == [
        "OPERATION_NOT_ALLOWED",
        f"VBD '{api.VBD.get_uuid(drive)}' still attached to '{api.VM.get_uuid(vm)}'",
    ]
    api.VBD.unplug(drive)
    assert refused(api.VBD.unplug, drive) == ["DEVICE_ALREADY_DETACHED", drive]
    api.VBD.plug(drive)
    api.VBD.unplug_force(drive)
    api.VBD.destroy(drive)
    assert (drive in api.VM.get_VBDs(vm), api.VDI.get_VBDs(disk)) == (False, [])


def test_no_device_of_a_paused_vm_is_plugged_or_unplugged(session: Any, vm: str) -> None:
    api = session.xenapi
    api.VM.start(vm, True, False)
    (drive,), (interface,) = api.VM.get_VBDs(vm), api.VM.get_VIFs(vm)
    for plug in (api.VBD.plug, api.VBD.unplug, api.VBD.unplug_force):
        assert refused(plug, drive) == ["VM_BAD_POWER_STATE", vm, "running", "paused"]
    for plug in (api.VIF.plug, api.VIF.unplug, api.VIF.unplug_force):
        assert refused(plug, interface) == ["VM_BAD_POWER_STATE", vm, "running", "paused"]


def test_a_guest_without_tools_takes_no_device_while_it_runs(
    session: Any, server: Any, vm: str, storage: str
) -> None:
    api = session.xenapi
    api.VM.start(vm, False, False)
    drive, _ = add_disk(session, vm, storage)
    (interface,) = api.VM.get_VIFs(vm)
    server.simulator.database.get("VM", vm)["guest_metrics"] = NULL
    for plug, device in ((api.VBD.plug, drive), (api.VIF.unplug, interface)):
        assert refused(plug, device) == ["VM_MISSING_PV_DRIVERS", vm]


def test_a_paravirtualized_guest_needs_no_tools(session: Any, server: Any, vm: str, storage: str) -> None:
    api = session.xenapi
    api.VM.set_HVM_boot_policy(vm, "")
    api.VM.start(vm, False, False)
    drive, _ = add_disk(session, vm, storage)
    server.simulator.database.get("VM", vm)["guest_metrics"] = NULL
    api.VBD.plug(drive)
    assert api.VBD.get_currently_attached(drive)
    api.VM.clean_shutdown(vm)


def test_what_is_not_unpluggable_stays_plugged(session: Any, vm: str, storage: str) -> None:
    api = session.xenapi
    drive, _ = add_disk(session, vm, storage, unpluggable=False)
    api.VM.start(vm, False, False)
    for unplug in (api.VBD.unplug, api.VBD.unplug_force):
        assert refused(unplug, drive) == ["VBD_NOT_UNPLUGGABLE", drive]


def test_a_cd_drive_of_a_running_hvm_guest_is_there_or_not(session: Any, vm: str) -> None:
    api = session.xenapi
    drive = api.VBD.create(drive_values(vm, NULL, type="CD", mode="RO", empty=True))
    api.VM.start(vm, False, False)
    late = api.VBD.create(drive_values(vm, NULL, type="CD", mode="RO", empty=True))
    text = "HVM CDROMs cannot be hotplugged/unplugged, only inserted or ejected"
    for plug, device in ((api.VBD.unplug, drive), (api.VBD.plug, late)):
        assert refused(plug, device) == ["OPERATION_NOT_ALLOWED", text]


def test_a_medium_is_inserted_and_ejected(session: Any, vm: str) -> None:
    api = session.xenapi
    (iso,) = api.VDI.get_by_name_label("debian.iso")
    assert refused(api.VBD.create, drive_values(vm, iso, type="CD")) == ["VBD_CDS_MUST_BE_READONLY"]
    drive = api.VBD.create(drive_values(vm, NULL, type="CD", mode="RO", empty=True))
    assert refused(api.VBD.eject, drive) == ["VBD_IS_EMPTY", drive]
    api.VBD.insert(drive, iso)
    assert (api.VBD.get_VDI(drive), api.VBD.get_empty(drive)) == (iso, False)
    assert refused(api.VBD.insert, drive, iso) == ["VBD_NOT_EMPTY", drive]
    api.VM.start(vm, False, False)
    api.VBD.eject(drive)
    assert (api.VBD.get_VDI(drive), api.VBD.get_empty(drive), api.VDI.get_VBDs(iso)) == (NULL, True, [])
    first = api.VM.get_VBDs(vm)[0]
    assert refused(api.VBD.eject, first) == ["VBD_NOT_REMOVABLE_MEDIA", first]
    api.VM.suspend(vm)
    assert refused(api.VBD.insert, drive, iso) == [
        *("VM_BAD_POWER_STATE", vm),
        *("halted, running", "suspended"),
    ]


def test_any_disk_goes_into_a_cd_drive(session: Any, vm: str, storage: str) -> None:
    api = session.xenapi
    drive = api.VBD.create(drive_values(vm, NULL, type="CD", mode="RO", empty=True))
    disk = api.VDI.create(disk_values(storage))
    api.VBD.insert(drive, disk)
    assert api.VBD.get_VDI(drive) == disk


def test_only_a_cd_drive_is_empty(session: Any, vm: str) -> None:
    wrong = drive_values(vm, NULL, empty=True)
    assert refused(session.xenapi.VBD.create, wrong) == ["VBD_NOT_REMOVABLE_MEDIA", "in constructor"]


def test_a_device_is_taken_once_by_whatever_name(session: Any, vm: str, storage: str) -> None:
    api = session.xenapi
    disk = api.VDI.create(disk_values(storage))
    for device in ("0", "xvda", "hda"):
        assert refused(api.VBD.create, drive_values(vm, disk, userdevice=device)) == [
            *("DEVICE_ALREADY_EXISTS", device),
        ]
    for device in ("255", "-1", "xvdq", "eth0"):
        assert refused(api.VBD.create, drive_values(vm, disk, userdevice=device)) == [
            "INVALID_DEVICE",
            device,
        ]
    for device in ("xvdb", "99"):
        drive = api.VBD.create(drive_values(vm, disk, userdevice=device))
        assert api.VBD.get_userdevice(drive) == device
    free = api.VM.get_allowed_VBD_devices(vm)
    assert (free[0], free[-1], {"0", "1", "99"} & set(free)) == ("2", "254", set())


def test_a_disk_is_plugged_into_one_vm_at_a_time(session: Any, vm: str) -> None:
    api = session.xenapi
    (other,) = api.VM.get_by_name_label("vm-1")
    disk = api.VBD.get_VDI(api.VM.get_VBDs(other)[0])
    api.VM.set_domain_type(vm, "pv")  # a whole machine has no read-only disks
    api.VM.start(vm, False, False)
    api.VM.start(other, False, False)
    drive = api.VBD.create(drive_values(vm, disk))
    reading = api.VBD.create(drive_values(vm, disk, mode="RO"))
    for second in (drive, reading):
        assert refused(api.VBD.plug, second) == ["VDI_IN_USE", disk]
        assert refused(api.VBD.assert_attachable, second) == ["VDI_IN_USE", disk]
    api.VM.hard_shutdown(other)
    api.VBD.plug(reading)


def test_the_mode_of_a_drive_changes_while_its_vm_is_off(session: Any, vm: str) -> None:
    api = session.xenapi
    (drive,) = api.VM.get_VBDs(vm)
    api.VBD.set_mode(drive, "RO")
    assert api.VBD.get_mode(drive) == "RO"
    api.VM.start(vm, False, False)
    assert refused(api.VBD.set_mode, drive, "RW") == ["VM_BAD_POWER_STATE", vm, "halted", "running"]
