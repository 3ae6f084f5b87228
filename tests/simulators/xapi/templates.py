"""Templates, and VMs that are made of them."""

from xml.etree import ElementTree as ET

from simulators.xapi.database import Database, Object
from simulators.xapi.devices import Devices
from simulators.xapi.failures import Failure
from simulators.xapi.lifecycle import update_allowed_operations
from simulators.xapi.messages import Handler

#: Where a template says which disks its VMs have.
_DISKS = "disks"


class Templates:
    """Lets VMs be templates, and templates VMs."""

    def __init__(self, database: Database, devices: Devices) -> None:
        self._database = database
        self._devices = devices

    def handlers(self) -> dict[str, Handler]:
        """Return what the messages do."""
        return {
            "VM.set_is_a_template": lambda ref, value: self._set(self._database.get("VM", ref), value),
            "VM.provision": lambda ref: self._provision(self._database.get("VM", ref)),
        }

    def _set(self, vm: Object, value: bool) -> None:
        with self._database.lock:
            vm["is_a_template"] = value
            metrics = self._database.find("VM_metrics", vm["metrics"])
            if value and metrics is not None:  # a template has none, unless it was cloned
                self._database.remove(metrics)
            update_allowed_operations(self._database, vm)

    def _provision(self, vm: Object) -> None:
        """Let a template be a VM, and make the disks that it asks for. Without them it is one, too."""
        with self._database.lock:
            self._set(vm, False)
            wanted = ET.fromstring(vm["other_config"].get(_DISKS, "<provision/>"))  # noqa: S314  our own tests'
            made: list[Object] = []
            try:
                made.extend(self._make_disk(vm, disk) for disk in wanted.iter("disk"))
            except Failure:
                for image in made:
                    self._devices.storage.destroy_disk(image.ref)
                raise
            vm["other_config"] = {key: value for key, value in vm["other_config"].items() if key != _DISKS}

    def _make_disk(self, vm: Object, disk: ET.Element) -> Object:
        kind, device = disk.get("type", "user"), disk.get("device", "0")
        image = self._devices.storage.create_disk(
            {
                "name_label": f"{vm['name_label']} {device}",
                "name_description": "Created by template provisioner",
                "SR": self._storage_named(disk.get("sr", "")),
                "virtual_size": int(disk.get("size", "0")),
                "type": kind,
            }
        )
        self._devices.drives.create(
            {
                "VM": vm.ref,
                "VDI": image.ref,
                "userdevice": device,
                "bootable": disk.get("bootable") == "true",
                "mode": "RW",
                "type": "Disk",
                "empty": False,
                "unpluggable": kind != "system",
                "other_config": {"owner": ""},
            }
        )
        return image

    def _storage_named(self, uuid: str) -> str:
        """Return the storage that a template names: there is no default.

        :raises Failure: UUID_INVALID
        """
        try:
            return self._database.by_uuid("SR", uuid).ref
        except Failure:
            raise Failure("UUID_INVALID", "sr", uuid) from None
