"""The drives of VMs: which device each is, what is in it, and when it can be plugged in."""

from collections.abc import Mapping
from typing import Any

from simulators.xapi.database import Database, Object
from simulators.xapi.failures import Failure
from simulators.xapi.messages import Handler
from simulators.xapi.plugging import check_plug
from simulators.xapi.types import NULL

_NUMBERS = tuple(str(number) for number in range(16))


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
            "VBD.unplug_force": lambda ref: self._unplug(ref, force=True),
            "VBD.assert_attachable": lambda ref: self._check_sharing(self._database.get("VBD", ref)),
            "VBD.insert": self._insert,
            "VBD.eject": self._eject,
            "VM.get_allowed_VBD_devices": self._free_devices,
        }

    def create(self, values: Mapping[str, Any]) -> Object:
        """Give a VM a drive. It is not plugged in."""
        with self._database.lock:
            vm = self._database.get("VM", values["VM"])
            is_empty = values["empty"]
            disk = None if is_empty else self._database.get("VDI", values["VDI"])
            if values["type"] != "CD" and is_empty:
                raise Failure("VBD_NOT_REMOVABLE_MEDIA", NULL)
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
                raise Failure("OPERATION_NOT_ALLOWED", f"VBD '{drive['uuid']}' still attached to a VM")
            self.remove(drive)

    def _plug(self, ref: str) -> None:
        with self._database.lock:
            drive = self._database.get("VBD", ref)
            check_plug(self._database, drive, attached=True)
            self._check_sharing(drive)
            drive["currently_attached"] = True

    def _unplug(self, ref: str, *, force: bool = False) -> None:
        with self._database.lock:
            drive = self._database.get("VBD", ref)
            check_plug(self._database, drive, attached=False)
            if not drive["unpluggable"] and not force:
                raise Failure("DEVICE_DETACH_REJECTED", "VBD", ref, "the guest holds on to it")
            drive["currently_attached"] = False

    def _check_sharing(self, drive: Object) -> None:
        """Pass a drive whose disk is plugged in nowhere else.

        :raises Failure: VDI_IN_USE
        """
        disk = self._database.find("VDI", drive["VDI"])
        if disk is None or disk["sharable"] or drive["mode"] != "RW":
            return
        if any(self._database.get("VBD", ref)["currently_attached"] for ref in disk["VBDs"]):
            raise Failure("VDI_IN_USE", disk.ref, "attach")

    def _insert(self, ref: str, disk_ref: str) -> None:
        with self._database.lock:
            drive, disk = self._removable(ref), self._database.get("VDI", disk_ref)
            if not drive["empty"]:
                raise Failure("VBD_NOT_EMPTY", ref)
            if self._database.get("SR", disk["SR"])["content_type"] != "iso":
                raise Failure("VDI_INCOMPATIBLE_TYPE", disk_ref, disk["type"])
            drive["VDI"], drive["empty"] = disk_ref, False
            disk["VBDs"] = [*disk["VBDs"], ref]

    def _eject(self, ref: str) -> None:
        with self._database.lock:
            drive = self._removable(ref)
            if drive["empty"]:
                raise Failure("VBD_IS_EMPTY", ref)
            self._forget(self._database.find("VDI", drive["VDI"]), ref)
            drive["VDI"], drive["empty"] = NULL, True

    def _removable(self, ref: str) -> Object:
        drive = self._database.get("VBD", ref)
        if drive["type"] != "CD":
            raise Failure("VBD_NOT_REMOVABLE_MEDIA", ref)
        return drive

    def _device(self, vm: Object, wanted: str) -> str:
        """Return the device that a new drive is.

        :raises Failure: INVALID_DEVICE or DEVICE_ALREADY_EXISTS
        """
        free = self._free_devices(vm.ref)
        if wanted == "autodetect" and free:
            return free[0]
        if wanted not in _NUMBERS:
            raise Failure("INVALID_DEVICE", wanted)
        if wanted not in free:
            raise Failure("DEVICE_ALREADY_EXISTS", wanted)
        return wanted

    def _free_devices(self, vm_ref: str) -> list[str]:
        drives = [self._database.get("VBD", ref) for ref in self._database.get("VM", vm_ref)["VBDs"]]
        used = {drive["userdevice"] for drive in drives}
        return [number for number in _NUMBERS if number not in used]

    @staticmethod
    def _forget(holder: Object | None, drive: str) -> None:
        if holder is not None:
            holder["VBDs"] = [ref for ref in holder["VBDs"] if ref != drive]
