"""The drives of the XAPI simulator's VMs: their devices, what is in them, and when they are plugged."""

from typing import Any

from simulators.records import GIB, NULL, disk_values, drive_values
from simulators.refusals import refused


def test_a_drive_is_plugged_unplugged_and_taken_away(session: Any, vm: str, storage: str) -> None:
    api = session.xenapi
    disk = api.VDI.create(disk_values(storage))
    drive = api.VBD.create(drive_values(vm, disk))
    assert api.VBD.get_userdevice(drive) == "1"
    assert (drive in api.VM.get_VBDs(vm), api.VDI.get_VBDs(disk)) == (True, [drive])
    assert refused(api.VBD.plug, drive)[:2] == ["VM_BAD_POWER_STATE", vm]
    api.VM.start(vm, False, False)
    assert refused(api.VBD.plug, drive) == ["DEVICE_ALREADY_ATTACHED", drive]
    assert refused(api.VDI.destroy, disk) == ["VDI_IN_USE", disk, "destroy"]
    assert refused(api.VDI.resize, disk, str(2 * GIB)) == ["VDI_IN_USE", disk, "resize"]
    api.VDI.resize_online(disk, str(2 * GIB))
    assert refused(api.VBD.destroy, drive)[0] == "OPERATION_NOT_ALLOWED"
    api.VBD.unplug(drive)
    assert refused(api.VBD.unplug, drive) == ["DEVICE_ALREADY_DETACHED", drive]
    api.VBD.destroy(drive)
    assert (drive in api.VM.get_VBDs(vm), api.VDI.get_VBDs(disk)) == (False, [])


def test_a_device_is_taken_once_and_must_exist(session: Any, vm: str, storage: str) -> None:
    api = session.xenapi
    disk = api.VDI.create(disk_values(storage))
    assert refused(api.VBD.create, drive_values(vm, disk, userdevice="0")) == ["DEVICE_ALREADY_EXISTS", "0"]
    assert refused(api.VBD.create, drive_values(vm, disk, userdevice="99")) == ["INVALID_DEVICE", "99"]
    assert "0" not in api.VM.get_allowed_VBD_devices(vm)


def test_a_disk_is_plugged_into_one_vm_at_a_time(session: Any, vm: str) -> None:
    api = session.xenapi
    (other,) = api.VM.get_by_name_label("vm-1")
    disk = api.VBD.get_VDI(api.VM.get_VBDs(other)[0])
    api.VM.start(vm, False, False)
    api.VM.start(other, False, False)
    drive = api.VBD.create(drive_values(vm, disk))
    assert refused(api.VBD.plug, drive) == ["VDI_IN_USE", disk, "attach"]


def test_a_medium_is_inserted_and_ejected(session: Any, vm: str) -> None:
    api = session.xenapi
    (iso,) = api.VDI.get_by_name_label("debian.iso")
    disk = api.VBD.get_VDI(api.VM.get_VBDs(vm)[0])
    drive = api.VBD.create(drive_values(vm, NULL, type="CD", mode="RO", empty=True))
    assert refused(api.VBD.insert, drive, disk) == ["VDI_INCOMPATIBLE_TYPE", disk, "user"]
    assert refused(api.VBD.eject, drive) == ["VBD_IS_EMPTY", drive]
    api.VBD.insert(drive, iso)
    assert (api.VBD.get_VDI(drive), api.VBD.get_empty(drive)) == (iso, False)
    assert refused(api.VBD.insert, drive, iso) == ["VBD_NOT_EMPTY", drive]
    api.VBD.eject(drive)
    assert (api.VBD.get_VDI(drive), api.VBD.get_empty(drive), api.VDI.get_VBDs(iso)) == (NULL, True, [])
    first = api.VM.get_VBDs(vm)[0]
    assert refused(api.VBD.eject, first) == ["VBD_NOT_REMOVABLE_MEDIA", first]
