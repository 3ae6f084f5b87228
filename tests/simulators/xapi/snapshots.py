"""Snapshots and checkpoints of VMs, and the way back to them."""

from datetime import UTC, datetime
from typing import Any

from simulators.xapi.copying import Copying
from simulators.xapi.database import Database, Object
from simulators.xapi.devices import Devices
from simulators.xapi.guests import copy_tools, forget_tools
from simulators.xapi.lifecycle import HALTED, RUNNING, SUSPENDED
from simulators.xapi.messages import Handler
from simulators.xapi.power import Power
from simulators.xapi.vm_fields import FRESH, KEPT


class Snapshots:
    """Keeps VMs as they are, and lets them be so again."""

    def __init__(self, database: Database, copying: Copying, power: Power, devices: Devices) -> None:
        self._database = database
        self._copying = copying
        self._power = power
        self._devices = devices

    def handlers(self) -> dict[str, Handler]:
        """Return what the messages do."""
        database = self._database
        return {
            "VM.snapshot": lambda ref, name, ignored: self._keep(database.get("VM", ref), name, ignored).ref,
            "VM.snapshot_with_quiesce": lambda ref, name: self._quiesce(database.get("VM", ref), name),
            "VM.checkpoint": lambda ref, name: self._checkpoint(database.get("VM", ref), name),
            "VM.revert": lambda ref: self._revert(database.get("VM", ref)),
        }

    def _quiesce(self, vm: Object, name: str) -> str:
        with self._database.lock:
            made = self._keep(vm, name)
            made["snapshot_info"] = {**made["snapshot_info"], "disk-snapshot-type": "quiesced"}
            return made.ref

    def _checkpoint(self, vm: Object, name: str) -> str:
        """Keep a VM with its memory: a running one is suspended for it, and goes on."""
        with self._database.lock:
            if vm["power_state"] != RUNNING:
                has_memory = vm["power_state"] == SUSPENDED
                return self._keep(vm, name, state=SUSPENDED if has_memory else HALTED).ref
            self._power.suspend(vm)
            try:
                return self._keep(vm, name, state=SUSPENDED, was=RUNNING).ref
            finally:
                self._power.resume(vm)

    def _keep(
        self,
        vm: Object,
        name: str,
        ignored: list[str] | None = None,
        *,
        state: str = HALTED,
        was: str | None = None,
    ) -> Object:
        with self._database.lock:
            own: dict[str, Any] = {
                "name_label": name,
                "power_state": state,
                "is_a_template": True,
                "is_a_snapshot": True,
                "snapshot_of": vm.ref,
                "snapshot_time": datetime.now(UTC),
                "snapshot_info": {
                    "power-state-at-snapshot": was or vm["power_state"],
                    "disk-snapshot-type": "crash_consistent",
                },
            }
            made = self._copying.copy(vm, self._devices.storage.snapshot_disk, ignored or (), **own)
            vm["snapshots"] = [*vm["snapshots"], made.ref]
            self._copying.machines.set_parent(made, vm["parent"])
            self._copying.machines.set_parent(vm, made.ref)
            return made

    def _revert(self, snapshot: Object) -> None:
        """Let a VM be as its snapshot. Its disks and interfaces are new ones."""
        with self._database.lock:
            vm = self._database.get("VM", snapshot["snapshot_of"])
            if vm["power_state"] != HALTED:
                self._power.stop(vm)
            drives = [self._database.get("VBD", ref) for ref in snapshot["VBDs"]]
            disks = self._copying.copy_disks(drives, self._devices.storage.copy_disk)
            self._strip(vm)
            for field in vm.class_.fields:
                if field not in KEPT and field not in FRESH:
                    vm[field] = snapshot[field]
            vm["power_state"] = snapshot["power_state"]
            self._copying.furnish(vm, disks, snapshot["VIFs"], owns=False)
            forget_tools(self._database, vm)
            vm["guest_metrics"] = copy_tools(self._database, snapshot)
            self._copying.machines.set_parent(vm, snapshot.ref)
            self._power.reset(vm, snapshot["power_state"])

    def _strip(self, vm: Object) -> None:
        drives = [self._database.get("VBD", ref) for ref in vm["VBDs"]]
        disks = [drive["VDI"] for drive in drives if drive["type"] == "Disk"]
        for drive in drives:
            self._devices.drives.remove(drive)
        for disk in disks:
            self._devices.storage.destroy_disk(disk)
        for ref in vm["VIFs"]:
            self._devices.networking.remove_interface(self._database.get("VIF", ref))
