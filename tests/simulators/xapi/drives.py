"""The drives of VMs: which device each is, what is in it, and when it can be plugged in."""

import re
from collections.abc import Mapping
from typing import Any

from simulators.xapi.database import Database, Object
from simulators.xapi.failures import Failure
from simulators.xapi.guests import booted_paravirtualized
from simulators.xapi.lifecycle import HALTED, RUNNING, SUSPENDED, bad_state
from simulators.xapi.messages import Handler
from simulators.xapi.plugging import check_plug
from simulators.xapi.types import NULL

_LETTERS = "abcdefghijklmnop"
_NAME = re.compile(rf"\A(?:sd|xvd|hd)(?P<letter>[{_LETTERS}])\Z")
_NUMBERS = tuple(str(number) for number in range(255))


class Drives:
    """Gives VMs drives, and puts disk images into them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def handlers(self) -> dict[str, Handler]:
        """Return what the messages do."""
        return {
            "VBD.create": lambda values: self.create(values).ref,
            "VBD.destroy": self._destroy,
            "VBD.plug": self._plug,
            "VBD.unplug": self._unplug,
            "VBD.unplug_force": self._unplug,
            "VBD.assert_attachable": lambda ref: self._check_sharing(self._database.get("VBD", ref)),
            "VBD.insert": self._insert,
            "VBD.eject": self._eject,
            "VBD.set_mode": self._set_mode,
            "VM.get_allowed_VBD_devices": self._free_devices,
        }

    def create(self, values: Mapping[str, Any]) -> Object:
        """Give a VM a drive. It is not plugged in."""
        with self._database.lock:
            vm = self._database.get("VM", values["VM"])
            is_empty = values["empty"]
            disk = None if is_empty else self._database.get("VDI", values["VDI"])
            if values["type"] == "CD" and values["mode"] != "RO":
                raise Failure("VBD_CDS_MUST_BE_READONLY")
            if values["type"] != "CD" and is_empty:
                raise Failure("VBD_NOT_REMOVABLE_MEDIA", "in constructor")
            if disk is not None and disk["read_only"] and values["mode"] == "RW":
                raise Failure("VDI_READONLY", disk.ref)
            device = self._device(vm, values["userdevice"])
            given = {**values, "userdevice": device, "currently_attached": False}
            made = self._database.add("VBD", {**given, "VDI": NULL if disk is None else disk.ref})
            vm["VBDs"] = [*vm["VBDs"], made.ref]
            if disk is not None:
                disk["VBDs"] = [*disk["VBDs"], made.ref]
            return made

    def remove(self, drive: Object) -> None:
        """Take a drive away; what is in it stays."""
        with self._database.lock:
            self._forget(self._database.find("VM", drive["VM"]), drive.ref)
            self._forget(self._database.find("VDI", drive["VDI"]), drive.ref)
            self._database.remove(drive)

    def _destroy(self, ref: str) -> None:
        with self._database.lock:
            drive = self._database.get("VBD", ref)
            if drive["currently_attached"]:
                vm = self._database.get("VM", drive["VM"])
                text = f"VBD '{drive['uuid']}' still attached to '{vm['uuid']}'"
                raise Failure("OPERATION_NOT_ALLOWED", text)
            self.remove(drive)

    def _plug(self, ref: str) -> None:
        with self._database.lock:
            drive = self._database.get("VBD", ref)
            self._check_plug(drive, attached=True)
            self._check_sharing(drive)
            drive["currently_attached"] = True

    def _unplug(self, ref: str) -> None:
        with self._database.lock:
            drive = self._database.get("VBD", ref)
            if not drive["unpluggable"]:
                raise Failure("VBD_NOT_UNPLUGGABLE", ref)
            self._check_plug(drive, attached=False)
            drive["currently_attached"] = False

    def _check_plug(self, drive: Object, *, attached: bool) -> None:
        check_plug(self._database, drive, attached=attached)
        vm = self._database.get("VM", drive["VM"])
        if drive["type"] == "CD" and not booted_paravirtualized(self._database, vm):
            text = "HVM CDROMs cannot be hotplugged/unplugged, only inserted or ejected"
            raise Failure("OPERATION_NOT_ALLOWED", text)
        is_read_only_disk = (drive["type"], drive["mode"]) == ("Disk", "RO")
        if attached and is_read_only_disk and not booted_paravirtualized(self._database, vm):
            raise Failure("DISK_VBD_MUST_BE_READWRITE_FOR_HVM", drive.ref)

    def _check_sharing(self, drive: Object) -> None:
        """Check that no other drive writes to the disk, or reads it if this drive writes.

        :raises Failure: VDI_IN_USE
        """
        disk = self._database.find("VDI", drive["VDI"])
        if disk is None or disk["sharable"]:
            return
        others = [self._database.get("VBD", ref) for ref in disk["VBDs"] if ref != drive.ref]
        modes = [other["mode"] for other in others if other["currently_attached"] and self._is_awake(other)]
        if "RW" in modes or (modes and drive["mode"] == "RW"):
            raise Failure("VDI_IN_USE", disk.ref)

    def _is_awake(self, drive: Object) -> bool:
        return bool(self._database.get("VM", drive["VM"])["power_state"] != SUSPENDED)

    def _insert(self, ref: str, disk_ref: str) -> None:
        """Put any disk image into a drive: XAPI does not ask whether it is an ISO image."""
        with self._database.lock:
            drive, disk = self._removable(ref), self._database.get("VDI", disk_ref)
            if not drive["empty"]:
                raise Failure("VBD_NOT_EMPTY", ref)
            self._need_awake(drive)
            drive["VDI"], drive["empty"] = disk_ref, False
            disk["VBDs"] = [*disk["VBDs"], ref]

    def _eject(self, ref: str) -> None:
        with self._database.lock:
            drive = self._removable(ref)
            if drive["empty"]:
                raise Failure("VBD_IS_EMPTY", ref)
            self._need_awake(drive)
            self._forget(self._database.find("VDI", drive["VDI"]), ref)
            drive["VDI"], drive["empty"] = NULL, True

    def _set_mode(self, ref: str, mode: str) -> None:
        with self._database.lock:
            drive = self._database.get("VBD", ref)
            vm = self._database.get("VM", drive["VM"])
            if vm["power_state"] != HALTED:
                raise bad_state(vm, HALTED)
            drive["mode"] = mode

    def _removable(self, ref: str) -> Object:
        drive = self._database.get("VBD", ref)
        if drive["type"] != "CD":
            raise Failure("VBD_NOT_REMOVABLE_MEDIA", ref)
        return drive

    def _need_awake(self, drive: Object) -> None:
        vm = self._database.get("VM", drive["VM"])
        if vm["power_state"] == SUSPENDED:
            raise bad_state(vm, HALTED, RUNNING)

    def _device(self, vm: Object, wanted: str) -> str:
        """Return the device that a new drive is. One by number and by name are the same.

        :raises Failure: INVALID_DEVICE or DEVICE_ALREADY_EXISTS
        """
        free = self._free_devices(vm.ref)
        if wanted == "autodetect" and free:
            return free[0]
        number = _number(wanted)
        if number not in _NUMBERS:
            raise Failure("INVALID_DEVICE", wanted)
        if number not in free:
            raise Failure("DEVICE_ALREADY_EXISTS", wanted)
        return wanted

    def _free_devices(self, vm_ref: str) -> list[str]:
        drives = [self._database.get("VBD", ref) for ref in self._database.get("VM", vm_ref)["VBDs"]]
        used = {_number(drive["userdevice"]) for drive in drives}
        return [number for number in _NUMBERS if number not in used]

    @staticmethod
    def _forget(holder: Object | None, drive: str) -> None:
        if holder is not None:
            holder["VBDs"] = [ref for ref in holder["VBDs"] if ref != drive]


def _number(device: str) -> str:
    found = _NAME.match(device)
    return device if found is None else str(_LETTERS.index(found["letter"]))
