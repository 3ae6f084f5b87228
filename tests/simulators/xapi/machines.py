"""VMs, which templates and snapshots are too: how they are made of a record, and how they end."""

import uuid
from collections.abc import Mapping
from typing import Any

from simulators.xapi.database import Database, Object
from simulators.xapi.devices import Devices
from simulators.xapi.guests import forget_tools
from simulators.xapi.lifecycle import update_allowed_operations
from simulators.xapi.messages import Handler
from simulators.xapi.types import NULL
from simulators.xapi.vm_fields import FRESH, is_portable


class Machines:
    """Makes VMs and destroys them."""

    def __init__(self, database: Database, devices: Devices) -> None:
        self._database = database
        self._devices = devices

    def handlers(self) -> dict[str, Handler]:
        """Return what the messages do."""
        return {
            "VM.create": lambda values: self.add(values).ref,
            "VM.destroy": lambda ref: self._remove(self._database.get("VM", ref)),
        }

    def portable(self, vm: Object) -> dict[str, Any]:
        """Return what of a VM goes into its image."""
        return {
            name: vm[name] for name, field in vm.class_.fields.items() if is_portable(name, field.type.name)
        } | {"is_a_template": vm["is_a_template"] and not vm["is_a_snapshot"]}

    def add(self, values: Mapping[str, Any], **own: Any) -> Object:
        """Make a VM that is off and has no devices.

        :param own: what it has in place of what all new VMs have
        """
        with self._database.lock:
            metrics = self._database.add("VM_metrics", {})
            given = {name: value for name, value in values.items() if name not in ("uuid", "metrics")}
            made = self._database.add("VM", {**given, **FRESH, "metrics": metrics.ref, **own})
            if "mac_seed" not in made["other_config"]:
                made["other_config"] = {**made["other_config"], "mac_seed": str(uuid.uuid4())}
            if made["domain_type"] == "unspecified":
                made["domain_type"] = "hvm" if made["HVM_boot_policy"] else "pv"
            update_allowed_operations(self._database, made)
            return made

    def undo(self, made: Object) -> None:
        """Leave nothing of a VM that could not be finished, nor of its disks."""
        with self._database.lock:
            drives = [self._database.get("VBD", ref) for ref in made["VBDs"]]
            disks = [drive["VDI"] for drive in drives if drive["type"] == "Disk"]
            self._remove(made)
            for disk in disks:
                self._devices.storage.destroy_disk(disk)

    def set_parent(self, vm: Object, parent: str) -> None:
        """Say of which snapshot a VM goes on."""
        before = self._database.find("VM", vm["parent"])
        if before is not None:
            before["children"] = [found for found in before["children"] if found != vm.ref]
        vm["parent"] = parent
        after = self._database.find("VM", parent)
        if after is not None:
            after["children"] = [*after["children"], vm.ref]

    def _remove(self, vm: Object) -> None:
        """Let a VM be no more. Its disks stay, its suspend image, and its snapshots, which still name it."""
        with self._database.lock:
            for ref in vm["VBDs"]:
                self._devices.drives.remove(self._database.get("VBD", ref))
            for ref in vm["VIFs"]:
                self._devices.networking.remove_interface(self._database.get("VIF", ref))
            for child in vm["children"]:
                self.set_parent(self._database.get("VM", child), vm["parent"])
            self.set_parent(vm, NULL)
            original = self._database.find("VM", vm["snapshot_of"])
            if original is not None:
                original["snapshots"] = [found for found in original["snapshots"] if found != vm.ref]
            metrics = self._database.find("VM_metrics", vm["metrics"])
            if metrics is not None:
                self._database.remove(metrics)
            forget_tools(self._database, vm)
            self._database.remove(vm)
