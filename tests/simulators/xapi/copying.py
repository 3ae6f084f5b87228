"""Copies of VMs: clones, and what snapshots are made of."""

import uuid
from collections.abc import Callable, Collection, Mapping
from typing import Any

from simulators.xapi.database import Database, Object
from simulators.xapi.devices import Devices
from simulators.xapi.failures import Failure
from simulators.xapi.guests import copy_tools
from simulators.xapi.lifecycle import SUSPENDED
from simulators.xapi.machines import Machines
from simulators.xapi.messages import Handler
from simulators.xapi.types import NULL
from simulators.xapi.vm_fields import NOT_COPIED

#: What is in other_config of XAPI's own templates, and of no copy.
_INTERNAL = ("default_template", "xensource_internal")


class Copying:
    """Copies VMs with their disks and interfaces."""

    def __init__(self, database: Database, machines: Machines, devices: Devices) -> None:
        self._database = database
        self.machines = machines
        self.devices = devices

    def handlers(self) -> dict[str, Handler]:
        """Return what the messages do."""
        return {"VM.clone": lambda ref, name: self._clone(ref, name, NULL), "VM.copy": self._clone}

    def copy(
        self,
        vm: Object,
        copied: Callable[[Object], Object],
        ignored: Collection[str] = (),
        **own: Any,
    ) -> Object:
        """Make a VM like another one. A failure leaves nothing behind.

        :param copied: makes the copy of a disk
        :param ignored: disks to leave out, with their drives
        :param own: fields that are not the other one's
        """
        drives = [self._database.get("VBD", ref) for ref in vm["VBDs"]]
        disks = self.copy_disks([drive for drive in drives if drive["VDI"] not in ignored], copied)
        values = {field: vm[field] for field in vm.class_.fields} | dict(NOT_COPIED)
        made = self.machines.add(values, **own)
        made["guest_metrics"] = copy_tools(self._database, vm)
        self._copy_metrics(vm, made)
        self.furnish(made, disks, vm["VIFs"])
        return made

    def copy_disks(
        self, drives: Collection[Object], copied: Callable[[Object], Object]
    ) -> dict[str, Object | None]:
        """Return what copies of drives hold: copies of disks, the same CDs. A failure leaves no copy."""
        found: dict[str, Object | None] = {}
        made: list[Object] = []
        try:
            for drive in drives:
                disk = self._database.find("VDI", drive["VDI"])
                if disk is not None and drive["type"] == "Disk":
                    disk = copied(disk)
                    made.append(disk)
                found[drive.ref] = disk
        except Failure:
            for disk in made:
                self.devices.storage.destroy_disk(disk.ref)
            raise
        return found

    def furnish(
        self,
        vm: Object,
        disks: Mapping[str, Object | None],
        interfaces: Collection[str],
        *,
        owns: bool = True,
    ) -> None:
        """Give a VM copies of drives and interfaces. A suspended one has them plugged in as they were.

        :param disks: what goes into the copy of each drive
        :param owns: whether its disks are to go with it, which XAPI's clients are told
        """
        is_suspended = vm["power_state"] == SUSPENDED
        for ref, disk in disks.items():
            drive = self._database.get("VBD", ref)
            values = {name: drive[name] for name in drive.class_.fields if name not in ("uuid", "metrics")}
            if owns and drive["type"] == "Disk":
                values["other_config"] = {"owner": "", **drive["other_config"]}
            made = self.devices.drives.create(
                {**values, "VM": vm.ref, "VDI": NULL if disk is None else disk.ref}
            )
            made["currently_attached"] = is_suspended and drive["currently_attached"]
        for ref in interfaces:
            interface = self._database.get("VIF", ref)
            values = {name: interface[name] for name in interface.class_.fields if name != "uuid"}
            # A snapshot has its VM's addresses; a clone has a seed of its own, which makes others.
            values["MAC"] = interface["MAC"] if vm["is_a_snapshot"] or not owns else ""
            made = self.devices.networking.create_interface({**values, "VM": vm.ref})
            made["currently_attached"] = is_suspended and interface["currently_attached"]

    def _clone(self, ref: str, name: str, storage: str) -> str:
        """Make a VM of a VM, and a template of a template or a snapshot. It is off."""
        with self._database.lock:
            vm = self._database.get("VM", ref)
            target = self._database.find("SR", storage)
            if target is not None and target["content_type"] == "iso":
                raise Failure("OPERATION_NOT_ALLOWED", "Cannot copy a VM's disks to an ISO SR")
            where = None if target is None else target.ref
            config = {key: value for key, value in vm["other_config"].items() if key not in _INTERNAL}
            if vm["is_a_template"]:
                config.setdefault("base_template_name", vm["name_label"])
            config["mac_seed"] = str(uuid.uuid4())
            own = {"name_label": name, "other_config": config}
            return self.copy(vm, lambda disk: self.devices.storage.copy_disk(disk, where), **own).ref

    def _copy_metrics(self, vm: Object, made: Object) -> None:
        before = self._database.find("VM_metrics", vm["metrics"])
        after = self._database.get("VM_metrics", made["metrics"])
        if before is not None:
            for name in before.class_.fields:
                if name != "uuid":
                    after[name] = before[name]
