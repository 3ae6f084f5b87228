"""The making, copying, keeping and ending of VMs: templates, clones, snapshots."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

from simulators.xapi.database import Database, Object
from simulators.xapi.failures import Failure
from simulators.xapi.messages import Handler
from simulators.xapi.networking import Networking
from simulators.xapi.power import (
    HALTED,
    PAUSED,
    RUNNING,
    SUSPENDED,
    Power,
    need_state,
    update_allowed_operations,
)
from simulators.xapi.storage import Storage
from simulators.xapi.types import EPOCH, NULL

#: What a copy of a VM has of its own.
_FRESH: Mapping[str, Any] = {
    "power_state": HALTED,
    "VBDs": [],
    "VIFs": [],
    "snapshots": [],
    "children": [],
    "parent": NULL,
    "consoles": [],
    "resident_on": NULL,
    "domid": -1,
    "guest_metrics": NULL,
    "current_operations": {},
    "is_a_snapshot": False,
    "is_default_template": False,
    "snapshot_of": NULL,
    "snapshot_time": EPOCH,
    "snapshot_info": {},
    "suspend_VDI": NULL,
}
#: What a VM keeps when it goes back to a snapshot.
_KEPT = {*_FRESH, "uuid", "name_label", "metrics", "is_a_template", "allowed_operations"}
_PORTABLE = {"string", "int", "bool", "(string -> string) map", "string set"}


class Machines:
    """VMs, templates and snapshots, which all are VMs to XAPI."""

    def __init__(self, database: Database, power: Power, storage: Storage, networking: Networking) -> None:
        self._database = database
        self._power = power
        self._storage = storage
        self._networking = networking

    def handlers(self) -> dict[str, Handler]:
        """Return what the messages do."""
        return {
            "VM.create": lambda values: self.add(values).ref,
            "VM.destroy": self._destroy,
            "VM.clone": lambda ref, name: self._copy(ref, name, None),
            "VM.copy": self._copy,
            "VM.provision": self._provision,
            "VM.snapshot": self._snapshot,
            "VM.snapshot_with_quiesce": lambda ref, name: self._snapshot(ref, name, []),
            "VM.checkpoint": self._checkpoint,
            "VM.revert": self._revert,
        }

    def portable(self, vm: Object) -> dict[str, Any]:
        """Return what of a VM goes into its image: numbers, strings, maps of them, no references."""
        return {
            name: vm[name]
            for name, field in vm.class_.fields.items()
            if name not in _KEPT and field.type.name in _PORTABLE
        } | {"name_label": vm["name_label"], "is_a_template": vm["is_a_template"] and not vm["is_a_snapshot"]}

    def add(self, values: Mapping[str, Any]) -> Object:
        """Make a VM that is off and has no devices."""
        with self._database.lock:
            metrics = self._database.add("VM_metrics", {})
            given = {name: value for name, value in values.items() if name not in ("uuid", "metrics")}
            made = self._database.add("VM", {**given, **_FRESH, "metrics": metrics.ref})
            update_allowed_operations(made)
            return made

    def _destroy(self, ref: str) -> None:
        with self._database.lock:
            vm = self._database.get("VM", ref)
            if vm["is_default_template"]:
                raise Failure("OPERATION_NOT_ALLOWED", "the template cannot be destroyed")
            if not vm["is_a_snapshot"]:
                need_state(vm, HALTED)
            self._strip(vm)
            for snapshot in vm["snapshots"]:
                self._database.get("VM", snapshot)["snapshot_of"] = NULL
            for child in vm["children"]:
                self._set_parent(self._database.get("VM", child), vm["parent"])
            self._set_parent(vm, NULL)
            original = self._database.find("VM", vm["snapshot_of"])
            if original is not None:
                original["snapshots"] = [found for found in original["snapshots"] if found != ref]
            metrics = self._database.find("VM_metrics", vm["metrics"])
            if metrics is not None:
                self._database.remove(metrics)
            self._database.remove(vm)

    def _copy(self, ref: str, name: str, storage: str | None) -> str:
        """Make a VM of a VM, a template of a template, and a template of a snapshot."""
        with self._database.lock:
            vm = self._database.get("VM", ref)
            if not vm["is_a_snapshot"]:
                need_state(vm, HALTED)
            made = self._like(vm, name_label=name)
            where = None if storage in (None, NULL) else storage
            try:
                self._furnish(made, vm, lambda disk: self._storage.copy_disk(disk, where), same_macs=False)
            except Failure:
                self.undo(made)
                raise
            return made.ref

    def _provision(self, ref: str) -> None:
        """Make the disks that a template asks for, and a VM of it."""
        with self._database.lock:
            vm = self._database.get("VM", ref)
            need_state(vm, HALTED)
            (pool,) = self._database.all("pool")
            for disk in ET.fromstring(vm["other_config"].get("disks", "<provision/>")).iter("disk"):  # noqa: S314  our own tests'
                uuid = disk.get("sr", "")
                values = {
                    "name_label": f"{vm['name_label']} {disk.get('device')}",
                    "SR": self._database.by_uuid("SR", uuid).ref if uuid else pool["default_SR"],
                    "virtual_size": int(disk.get("size", "0")),
                    "type": disk.get("type", "user"),
                }
                made = self._storage.create_disk(values)
                self._drive(vm, made.ref, disk.get("device", "0"), bootable=disk.get("bootable") == "true")
            vm["other_config"] = {key: value for key, value in vm["other_config"].items() if key != "disks"}
            vm["is_a_template"] = False
            update_allowed_operations(vm)

    def _snapshot(self, ref: str, name: str, ignored: list[str]) -> str:
        with self._database.lock:
            vm = self._database.get("VM", ref)
            need_state(vm, HALTED, RUNNING, SUSPENDED)
            return self._keep(vm, name, HALTED, ignored)

    def _checkpoint(self, ref: str, name: str) -> str:
        with self._database.lock:
            vm = self._database.get("VM", ref)
            need_state(vm, RUNNING)
            return self._keep(vm, name, SUSPENDED, [])

    def _keep(self, vm: Object, name: str, state: str, ignored: list[str]) -> str:
        made = self._like(vm, name_label=name)
        kept = {
            "is_a_template": True,
            "is_a_snapshot": True,
            "snapshot_of": vm.ref,
            "snapshot_time": datetime.now(UTC),
            "snapshot_info": {"power-state-at-snapshot": vm["power_state"]},
            "power_state": state,
        }
        for field, value in kept.items():
            made[field] = value
        try:
            self._furnish(made, vm, self._storage.snapshot_disk, same_macs=True, ignored=ignored)
        except Failure:
            self.undo(made)
            raise
        vm["snapshots"] = [*vm["snapshots"], made.ref]
        self._set_parent(made, vm["parent"])
        self._set_parent(vm, made.ref)
        update_allowed_operations(made)
        return made.ref

    def _revert(self, ref: str) -> None:
        """Let a VM be as its snapshot. Its disks and interfaces are new ones."""
        with self._database.lock:
            snapshot = self._database.get("VM", ref)
            if not snapshot["is_a_snapshot"]:
                raise Failure("OPERATION_NOT_ALLOWED", "only a snapshot can be reverted to")
            vm = self._database.get("VM", snapshot["snapshot_of"])
            if vm["power_state"] in (RUNNING, PAUSED, SUSPENDED):
                self._power.stop(vm.ref)
            copies = self._copies(snapshot)
            disks = self._strip(vm)
            for ref_of_disk in disks:
                self._storage.destroy_disk(ref_of_disk)
            for field in vm.class_.fields:
                if field not in _KEPT:
                    vm[field] = snapshot[field]
            self._furnish(vm, snapshot, lambda disk: copies[disk.ref], same_macs=True)
            self._set_parent(vm, ref)
            vm["power_state"] = snapshot["power_state"]
            update_allowed_operations(vm)

    def _copies(self, vm: Object) -> dict[str, Object]:
        """Return copies of a VM's disks by the originals; where one finds no room, none is left."""
        found: dict[str, Object] = {}
        try:
            for ref in vm["VBDs"]:
                drive = self._database.get("VBD", ref)
                if drive["type"] == "Disk":
                    found[drive["VDI"]] = self._storage.copy_disk(self._database.get("VDI", drive["VDI"]))
        except Failure:
            for copy in found.values():
                self._storage.destroy_disk(copy.ref)
            raise
        return found

    def undo(self, made: Object) -> None:
        """Leave nothing of a VM that could not be finished."""
        for disk in self._strip(made):
            self._storage.destroy_disk(disk)
        self._database.remove(self._database.get("VM_metrics", made["metrics"]))
        self._database.remove(made)

    def _like(self, vm: Object, **own: Any) -> Object:
        return self.add({field: vm[field] for field in vm.class_.fields} | own)

    def _furnish(
        self,
        made: Object,
        like: Object,
        copied: Callable[[Object], Object],
        *,
        same_macs: bool,
        ignored: list[str] | None = None,
    ) -> None:
        """Give a VM the drives and interfaces of another one; its disks are copies."""
        for ref in like["VBDs"]:
            drive = self._database.get("VBD", ref)
            disk = self._database.find("VDI", drive["VDI"])
            if disk is not None and disk.ref in (ignored or []):
                continue
            if disk is not None and drive["type"] == "Disk":
                disk = copied(disk)
            values = {
                field: drive[field] for field in drive.class_.fields if field not in ("uuid", "metrics")
            }
            self._storage.create_drive({**values, "VM": made.ref, "VDI": NULL if disk is None else disk.ref})
        for ref in like["VIFs"]:
            interface = self._database.get("VIF", ref)
            values = {field: interface[field] for field in interface.class_.fields if field != "uuid"}
            mac = interface["MAC"] if same_macs else ""
            self._networking.create_interface({**values, "VM": made.ref, "MAC": mac})

    def _drive(self, vm: Object, disk: str, device: str, *, bootable: bool) -> None:
        self._storage.create_drive(
            {
                "VM": vm.ref,
                "VDI": disk,
                "userdevice": device,
                "bootable": bootable,
                "mode": "RW",
                "type": "Disk",
                "empty": False,
                "unpluggable": True,
            }
        )

    def _strip(self, vm: Object) -> list[str]:
        """Take a VM's drives and interfaces away; return the disks that were in the drives."""
        disks = []
        for ref in vm["VBDs"]:
            drive = self._database.get("VBD", ref)
            if drive["type"] == "Disk":
                disks.append(drive["VDI"])
            self._storage.destroy_drive(ref)
        for ref in vm["VIFs"]:
            self._networking.destroy_interface(ref)
        return disks

    def _set_parent(self, vm: Object, parent: str) -> None:
        before = self._database.find("VM", vm["parent"])
        if before is not None:
            before["children"] = [found for found in before["children"] if found != vm.ref]
        vm["parent"] = parent
        after = self._database.find("VM", parent)
        if after is not None:
            after["children"] = [*after["children"], vm.ref]
