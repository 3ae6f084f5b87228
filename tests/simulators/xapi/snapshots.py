"""Snapshots and checkpoints of VMs, and the way back to them.

As XAPI goes back: the VM's disks are destroyed first, so that there is room, and then the snapshot's cloned.
Where that fails half-way, the VM is off and has no disks. Since 26.1.14 it first asks storages to take disks
back where they are; where that fails half-way, some are as they were then and others are not.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec

from simulators.xapi.copying import Copying
from simulators.xapi.database import Database, Object
from simulators.xapi.failures import Failure
from simulators.xapi.faults import Faults
from simulators.xapi.guests import copy_tools, forget_tools
from simulators.xapi.lifecycle import HALTED, RUNNING, SUSPENDED
from simulators.xapi.messages import Handler
from simulators.xapi.power import Power
from simulators.xapi.suspension import SuspendImages
from simulators.xapi.types import NULL
from simulators.xapi.vm_fields import KEPT

#: What a client is told as it is, where going back fails.
_TOLD = frozenset({"SR_FULL", "SR_BACKEND_FAILURE_44", "SR_BACKEND_FAILURE_109", "VDI_INCOMPATIBLE_TYPE"})


class Snapshots:
    """Keeps VMs as they are, and lets them be so again."""

    def __init__(
        self,
        database: Database,
        copying: Copying,
        power: Power,
        images: SuspendImages,
        faults: Faults,
        *,
        reverts_disks: bool,
    ) -> None:
        """Begin with the snapshots that there are.

        :param faults: what fails in the middle of going back
        :param reverts_disks: whether storages take disks back where they are
        """
        self._database = database
        self._copying = copying
        self._power = power
        self._images = images
        self._devices = copying.devices
        self._faults = faults
        self._reverts_disks = reverts_disks

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
                "snapshot_metadata": bytes(vm.json).decode(),
            }
            image = self._images.copy(vm) if state == SUSPENDED else NULL
            try:
                made = self._copying.copy(vm, self._devices.storage.snapshot_disk, ignored or (), **own)
            except Failure:
                if image != NULL:
                    self._devices.storage.destroy_disk(image)
                raise
            made["suspend_VDI"] = image
            vm["snapshots"] = [*vm["snapshots"], made.ref]
            self._copying.machines.set_parent(made, vm["parent"])
            self._copying.machines.set_parent(vm, made.ref)
            return made

    def _revert(self, snapshot: Object) -> None:
        with self._database.lock:
            vm = self._database.find("VM", snapshot["snapshot_of"]) or self._bring_back(snapshot)
            if vm["power_state"] != HALTED:
                self._power.stop(vm)
            for field, value in _fields_of_then(snapshot).items():
                vm[field] = value
            try:
                self._replace_devices(vm, snapshot)
            except Failure as failure:
                self._power.reset(vm, HALTED)
                if failure.code in _TOLD:
                    raise
                raise Failure("VM_REVERT_FAILED", snapshot.ref, vm.ref) from failure
            forget_tools(self._database, vm)
            vm["guest_metrics"] = copy_tools(self._database, snapshot)
            self._copying.machines.set_parent(vm, snapshot.ref)
            self._power.reset(vm, snapshot["power_state"])

    def _bring_back(self, snapshot: Object) -> Object:
        """Make the VM of a snapshot anew, which was destroyed. It has the UUID that it had."""
        gone = snapshot["snapshot_of"]
        made = self._copying.machines.add(
            {field: snapshot[field] for field in snapshot.class_.fields}, uuid=_then(snapshot)["uuid"]
        )
        for found in self._database.all("VM"):
            if found["snapshot_of"] == gone:
                found["snapshot_of"] = made.ref
                made["snapshots"] = [*made["snapshots"], found.ref]
        return made

    def _replace_devices(self, vm: Object, snapshot: Object) -> None:
        kept = [self._database.get("VBD", ref) for ref in snapshot["VBDs"]]
        done = self._revert_disks(vm, kept) if self._reverts_disks else set()
        kept = [drive for drive in kept if drive["VDI"] not in done]
        originals = {
            drive.ref: self._database.get("VDI", drive["VDI"])["snapshot_of"]
            for drive in kept
            if drive["type"] == "Disk"
        }
        self._destroy_disks(vm, set(originals.values()), {self._snapshot_of(disk) for disk in done})
        disks = self._copying.copy_disks(kept, self._clone)
        for drive, original in originals.items():
            self._follow(original, disks[drive])
        try:
            vm["suspend_VDI"] = self._images.copy(snapshot)
        except Failure:
            for drive in originals:
                self._discard(disks[drive])
            raise
        vm["power_state"] = snapshot["power_state"]
        for ref in vm["VIFs"]:
            self._devices.networking.remove_interface(self._database.get("VIF", ref))
        self._copying.furnish(vm, disks, snapshot["VIFs"], owns=False)

    def _revert_disks(self, vm: Object, kept: list[Object]) -> set[str]:
        """Take those disks back that the VM still has; return their snapshots."""
        own = {self._database.get("VBD", ref)["VDI"] for ref in vm["VBDs"]}
        done = set()
        for drive in kept:
            if drive["type"] == "Disk" and self._snapshot_of(drive["VDI"]) in own:
                self._faults.before(self._faults.take("VDI.revert"))
                then = self._database.get("VDI", drive["VDI"])
                self._devices.storage.revert_disk(self._database.get("VDI", then["snapshot_of"]), then)
                done.add(then.ref)
        return done

    def _snapshot_of(self, disk: str) -> str:
        original: str = self._database.get("VDI", disk)["snapshot_of"]
        return original

    def _clone(self, disk: Object) -> Object:
        self._faults.before(self._faults.take("VDI.clone"))
        return self._devices.storage.copy_disk(disk)

    def _destroy_disks(self, vm: Object, kept: set[str], reverted: set[str]) -> None:
        """Take a VM's drives away, and destroy the disks that there is something kept of: the others stay.

        :param reverted: disks that are as they were then, whose drives stay
        """
        drives = [self._database.get("VBD", ref) for ref in vm["VBDs"]]
        drives = [drive for drive in drives if drive["VDI"] not in reverted]
        disks = [drive["VDI"] for drive in drives if drive["type"] == "Disk" and drive["VDI"] in kept]
        for drive in drives:
            self._devices.drives.remove(drive)
        self._images.destroy(vm)
        for disk in disks:
            self._devices.storage.destroy_disk(disk)

    def _discard(self, disk: Object | None) -> None:
        if disk is not None:
            self._devices.storage.destroy_disk(disk.ref)

    def _follow(self, original: str, disk: Object | None) -> None:
        """Let all snapshots of a disk that is gone be those of the one in its place."""
        if original == NULL or disk is None:
            return
        snapshots = [found for found in self._database.all("VDI") if found["snapshot_of"] == original]
        for found in snapshots:
            found["snapshot_of"] = disk.ref
        disk["snapshots"] = [found.ref for found in snapshots]


def _fields_of_then(snapshot: Object) -> dict[str, Any]:
    """Return what its VM was when a snapshot was taken, but for what it keeps."""
    return {field: value for field, value in _then(snapshot).items() if field not in KEPT} | {
        "ha_always_run": False
    }


def _then(snapshot: Object) -> dict[str, Any]:
    """Return the record that its VM had when a snapshot was taken."""
    told: dict[str, Any] = snapshot.class_.record.from_json(
        msgspec.json.decode(snapshot["snapshot_metadata"])
    )
    return told
