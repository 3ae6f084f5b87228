"""Disk images in storages."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from simulators.xapi.contents import CHUNK_BYTES, Content
from simulators.xapi.database import Database, Object
from simulators.xapi.failures import Failure
from simulators.xapi.messages import Handler
from simulators.xapi.types import NULL

_MIB = 1024**2


class Storage:
    """Makes disk images, and deletes them."""

    def __init__(self, database: Database, content_bytes: int = CHUNK_BYTES) -> None:
        """Begin with the disks that there are.

        :param content_bytes: how much is on a disk that nobody has imported
        """
        self._database = database
        self._content_bytes = content_bytes
        self._contents: dict[str, Content] = {}

    def handlers(self) -> dict[str, Handler]:
        """Return what the messages do."""
        database = self._database
        return {
            "VDI.create": lambda values: self.create_disk(values).ref,
            "VDI.destroy": self.destroy_disk,
            "VDI.snapshot": lambda ref, _parameters: self.snapshot_disk(database.get("VDI", ref)).ref,
            "VDI.clone": lambda ref, _parameters: self.copy_disk(database.get("VDI", ref)).ref,
            "VDI.copy": self._copy_to,
            "VDI.resize": lambda ref, size: self._resize(ref, size, online=False),
            "VDI.resize_online": lambda ref, size: self._resize(ref, size, online=True),
            "SR.scan": lambda ref: self._database.get("SR", ref) and None,
        }

    def create_disk(self, values: Mapping[str, Any]) -> Object:
        """Make a disk image; its size is rounded up to MiB."""
        with self._database.lock:
            storage = self._writable(values["SR"])
            size = -(-values["virtual_size"] // _MIB) * _MIB
            if size <= 0:
                raise Failure("INVALID_VALUE", "virtual_size", str(values["virtual_size"]))
            self._use(storage, size)
            made = self._database.add(
                "VDI",
                {**values, "virtual_size": size, "physical_utilisation": size, "managed": True, "VBDs": []},
            )
            made["location"] = made["uuid"]
            storage["VDIs"] = [*storage["VDIs"], made.ref]
            return made

    def content(self, disk: Object) -> Content:
        """Return what is on a disk."""
        length = min(self._content_bytes, disk["virtual_size"])
        return self._contents.get(disk.ref) or Content(disk["uuid"], length)

    def set_content(self, disk: Object, content: Content) -> None:
        """Say what is on a disk."""
        self._contents[disk.ref] = content

    def copy_disk(self, disk: Object, storage: str | None = None, **own: Any) -> Object:
        """Make a copy of a disk image, which takes as much room.

        :param own: fields that are not the original's
        """
        with self._database.lock:
            kept = (
                "name_label",
                "name_description",
                "virtual_size",
                "type",
                "other_config",
                "sharable",
                "tags",
            )
            values = {name: disk[name] for name in kept}
            made = self.create_disk({**values, "SR": storage or disk["SR"], "read_only": False, **own})
            self.set_content(made, self.content(disk))
            return made

    def _copy_to(self, ref: str, storage: str, base: str, into: str) -> str:
        if base != NULL:
            raise Failure("NOT_IMPLEMENTED", "VDI.copy of differences")
        disk = self._database.get("VDI", ref)
        if into == NULL:
            return self.copy_disk(disk, storage).ref
        with self._database.lock:
            target = self._database.get("VDI", into)
            if target["virtual_size"] < disk["virtual_size"]:
                raise Failure("VDI_TOO_SMALL", into, str(disk["virtual_size"]))
            self.set_content(target, self.content(disk))
            return into

    def snapshot_disk(self, disk: Object) -> Object:
        """Make a snapshot of a disk image."""
        with self._database.lock:
            own: dict[str, Any] = {
                "is_a_snapshot": True,
                "snapshot_of": disk.ref,
                "snapshot_time": datetime.now(UTC),
            }
            made = self.copy_disk(disk, **own)
            disk["snapshots"] = [*disk["snapshots"], made.ref]
            return made

    def destroy_disk(self, ref: str) -> None:
        """Delete a disk image, and the drives that it is in."""
        with self._database.lock:
            disk = self._database.get("VDI", ref)
            original = self._database.find("VDI", disk["snapshot_of"])
            if original is not None:
                original["snapshots"] = [found for found in original["snapshots"] if found != ref]
            self._refuse_in_use(disk, "destroy")
            for found in disk["VBDs"]:
                drive = self._database.get("VBD", found)
                vm = self._database.get("VM", drive["VM"])
                vm["VBDs"] = [other for other in vm["VBDs"] if other != found]
                self._database.remove(drive)
            storage = self._database.get("SR", disk["SR"])
            storage["VDIs"] = [found for found in storage["VDIs"] if found != ref]
            self._use(storage, -disk["virtual_size"])
            self._contents.pop(ref, None)
            self._database.remove(disk)

    def _resize(self, ref: str, size: int, *, online: bool) -> None:
        with self._database.lock:
            disk = self._database.get("VDI", ref)
            if not online:
                self._refuse_in_use(disk, "resize")
            if size < disk["virtual_size"]:
                raise Failure("VDI_TOO_SMALL", ref, str(disk["virtual_size"]))
            rounded = -(-size // _MIB) * _MIB
            self._use(self._writable(disk["SR"]), rounded - disk["virtual_size"])
            disk["virtual_size"] = disk["physical_utilisation"] = rounded

    def _writable(self, ref: str) -> Object:
        storage = self._database.get("SR", ref)
        plugs = [self._database.get("PBD", plug) for plug in storage["PBDs"]]
        if not any(plug["currently_attached"] for plug in plugs):
            raise Failure("SR_HAS_NO_PBDS", ref)
        if storage["type"] == "iso":
            raise Failure("SR_OPERATION_NOT_SUPPORTED", ref)
        return storage

    def _refuse_in_use(self, disk: Object, operation: str) -> None:
        if any(self._database.get("VBD", ref)["currently_attached"] for ref in disk["VBDs"]):
            raise Failure("VDI_IN_USE", disk.ref, operation)

    @staticmethod
    def _use(storage: Object, size: int) -> None:
        """Take room in a storage, or give it back."""
        free = storage["physical_size"] - storage["physical_utilisation"]
        if size > free:
            raise Failure("SR_FULL", str(size), str(free))
        storage["physical_utilisation"] += size
        storage["virtual_allocation"] += size
