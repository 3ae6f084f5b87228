"""What joins hosts with storages and wires: PBDs and PIFs, and hosts that take guests or do not."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from simulators.xapi.database import Database
from simulators.xapi.datamodel import classes
from simulators.xapi.failures import Failure
from simulators.xapi.messages import Handler


class Plugs:
    """Connects storages and networks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def handlers(self) -> dict[str, Handler]:
        """Return what the messages do."""
        return {
            "PBD.create": self._create,
            "PBD.destroy": self._destroy,
            "PBD.plug": lambda ref: self._set_plugged(ref, plugged=True),
            "PBD.unplug": lambda ref: self._set_plugged(ref, plugged=False),
            "PIF.plug": lambda ref: self._set_wired(ref, wired=True),
            "PIF.unplug": lambda ref: self._set_wired(ref, wired=False),
            "SR.forget": self._forget,
            "SR.destroy": self._forget,
            "VDI.forget": self._forget_disk,
            "host.enable": lambda ref: self._set_enabled(ref, enabled=True),
            "host.disable": lambda ref, _again: self._set_enabled(ref, enabled=False),
            "host.get_servertime": lambda ref: self._database.get("host", ref) and datetime.now(UTC),
            "host.list_methods": lambda: [
                message.name for class_ in classes().values() for message in class_.messages.values()
            ],
        }

    def _create(self, values: Mapping[str, Any]) -> str:
        with self._database.lock:
            storage, host = self._database.get("SR", values["SR"]), self._database.get("host", values["host"])
            made = self._database.add("PBD", {**values, "currently_attached": False})
            storage["PBDs"], host["PBDs"] = [*storage["PBDs"], made.ref], [*host["PBDs"], made.ref]
            return made.ref

    def _destroy(self, ref: str) -> None:
        with self._database.lock:
            plug = self._database.get("PBD", ref)
            if plug["currently_attached"]:
                raise Failure("OPERATION_NOT_ALLOWED", "PBD is currently attached")
            for holder in (self._database.get("SR", plug["SR"]), self._database.get("host", plug["host"])):
                holder["PBDs"] = [found for found in holder["PBDs"] if found != ref]
            self._database.remove(plug)

    def _set_plugged(self, ref: str, *, plugged: bool) -> None:
        """Connect a storage to a host, or disconnect it when nothing in it is in use there."""
        with self._database.lock:
            plug = self._database.get("PBD", ref)
            disks = [self._database.get("VDI", disk) for disk in self._database.get("SR", plug["SR"])["VDIs"]]
            drives = [self._database.get("VBD", drive) for disk in disks for drive in disk["VBDs"]]
            in_use = [drive["VDI"] for drive in drives if drive["currently_attached"]]
            if in_use and not plugged:
                raise Failure("VDI_IN_USE", in_use[0], "detach")
            plug["currently_attached"] = plugged

    def _set_wired(self, ref: str, *, wired: bool) -> None:
        with self._database.lock:
            interface = self._database.get("PIF", ref)
            network = self._database.get("network", interface["network"])
            in_use = [vif for vif in network["VIFs"] if self._database.get("VIF", vif)["currently_attached"]]
            if in_use and not wired:
                raise Failure("VIF_IN_USE", interface["network"], in_use[0])
            if interface["management"] and not wired:
                raise Failure("PIF_IS_MANAGEMENT_INTERFACE", ref)
            interface["currently_attached"] = wired

    def _forget(self, ref: str) -> None:
        """Let a storage be no more, with all that is in it."""
        with self._database.lock:
            storage = self._database.get("SR", ref)
            if storage["PBDs"]:
                raise Failure("SR_HAS_PBD", ref)
            for disk in storage["VDIs"]:
                self._database.remove(self._database.get("VDI", disk))
            self._database.remove(storage)

    def _forget_disk(self, ref: str) -> None:
        """Let XAPI know of a disk image no more. What is in it stays in the storage."""
        with self._database.lock:
            disk = self._database.get("VDI", ref)
            if disk["VBDs"]:
                raise Failure("VDI_IN_USE", ref, "forget")
            storage = self._database.get("SR", disk["SR"])
            storage["VDIs"] = [found for found in storage["VDIs"] if found != ref]
            self._database.remove(disk)

    def _set_enabled(self, ref: str, *, enabled: bool) -> None:
        with self._database.lock:
            self._database.get("host", ref)["enabled"] = enabled
