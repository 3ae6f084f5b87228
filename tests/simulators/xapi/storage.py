"""Disk images in storages."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from simulators.xapi.contents import CHUNK_BYTES, Content
from simulators.xapi.database import Database, Object
from simulators.xapi.failures import Failure
from simulators.xapi.messages import Handler
from simulators.xapi.storage_kinds import invalid_size, need_feature, rounded, take_room
from simulators.xapi.types import NULL

#: What a copy of a disk has of it.
_COPIED = ("name_label", "name_description", "virtual_size", "type", "other_config", "sharable", "tags")


class Storage:
    """Makes disk images, and deletes them."""

    def __init__(
        self, database: Database, content_bytes: int = CHUNK_BYTES, *, resizes_online: bool = False
    ) -> None:
        """Begin with the disks that there are.

        :param content_bytes: how much is on a disk that nobody has imported
        :param resizes_online: whether drivers let disks grow that are in use; those of today do not
        """
        self._database = database
        self._content_bytes = content_bytes
        self._resizes_online = resizes_online
        self._contents: dict[str, Content] = {}

    def handlers(self) -> dict[str, Handler]:
        """Return what the messages do."""
        database = self._database
        return {
            "VDI.create": lambda values: self.create_disk(values).ref,
            "VDI.destroy": self.destroy_disk,
            "VDI.snapshot": lambda ref, _parameters: self.snapshot_disk(database.get("VDI", ref)).ref,
            "VDI.clone": lambda ref, _parameters: self._clone(database.get("VDI", ref)),
            "VDI.copy": self._copy_to,
            "VDI.resize": self._resize,
            "VDI.resize_online": self._resize_online,
            "SR.scan": lambda ref: self._database.get("SR", ref) and None,
        }

    def create_disk(self, values: Mapping[str, Any]) -> Object:
        """Make a disk image, whose size is rounded up.

        :raises Failure: SR_HAS_NO_PBDS, SR_OPERATION_NOT_SUPPORTED, or that there is no room
        """
        with self._database.lock:
            storage = self._usable(values["SR"], "create")
            size = rounded(values["virtual_size"])
            take_room(storage, size)
            own = {"virtual_size": size, "physical_utilisation": size, "managed": True, "VBDs": []}
            made = self._database.add("VDI", {**values, **own})
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

    def write(self, disk: Object, data: bytes) -> None:
        """Let bytes be on a disk from its beginning. What follows is empty, as whole chunks are in images."""
        length = min(-(-len(data) // CHUNK_BYTES) * CHUNK_BYTES, disk["virtual_size"])
        self.set_content(disk, Content(disk["uuid"], length, data.rstrip(b"\0")))

    def copy_disk(self, disk: Object, storage: str | None = None, **own: Any) -> Object:
        """Make a copy of a disk image, which takes as much room.

        :param own: fields that are not the original's
        """
        with self._database.lock:
            values = {name: disk[name] for name in _COPIED}
            made = self.create_disk({**values, "SR": storage or disk["SR"], "read_only": False, **own})
            self.set_content(made, self.content(disk))
            return made

    def snapshot_disk(self, disk: Object) -> Object:
        """Make a snapshot of a disk image."""
        with self._database.lock:
            self._usable(disk["SR"], "snapshot")
            own: dict[str, Any] = {
                "is_a_snapshot": True,
                "snapshot_of": disk.ref,
                "snapshot_time": datetime.now(UTC),
            }
            made = self.copy_disk(disk, **own)
            disk["snapshots"] = [*disk["snapshots"], made.ref]
            return made

    def revert_disk(self, disk: Object, snapshot: Object) -> None:
        """Let a disk be as it was in a snapshot of it."""
        with self._database.lock:
            storage = self._usable(disk["SR"], "snapshot")
            take_room(storage, snapshot["virtual_size"] - disk["virtual_size"])
            disk["virtual_size"] = disk["physical_utilisation"] = snapshot["virtual_size"]
            self.set_content(disk, self.content(snapshot))

    def destroy_disk(self, ref: str) -> None:
        """Delete a disk image, and the drives that it is in.

        :raises Failure: VDI_IN_USE
        """
        with self._database.lock:
            disk = self._database.get("VDI", ref)
            self.refuse_in_use(disk, "destroy")
            storage = self._usable(disk["SR"], "destroy")
            original = self._database.find("VDI", disk["snapshot_of"])
            if original is not None:
                original["snapshots"] = [found for found in original["snapshots"] if found != ref]
            for found in disk["VBDs"]:
                drive = self._database.get("VBD", found)
                vm = self._database.get("VM", drive["VM"])
                vm["VBDs"] = [other for other in vm["VBDs"] if other != found]
                self._database.remove(drive)
            storage["VDIs"] = [found for found in storage["VDIs"] if found != ref]
            take_room(storage, -disk["virtual_size"])
            self._contents.pop(ref, None)
            self._database.remove(disk)

    def _clone(self, disk: Object) -> str:
        self._usable(disk["SR"], "clone")
        return self.copy_disk(disk).ref

    def _copy_to(self, ref: str, storage: str, base: str, into: str) -> str:
        """Copy a disk image into a storage, or onto another disk image."""
        if base != NULL:
            raise Failure("NOT_IMPLEMENTED", "VDI.copy of differences")
        with self._database.lock:
            disk = self._database.get("VDI", ref)
            self.refuse_in_use(disk, "copy", modes=("RW",))
            if into == NULL:
                return self.copy_disk(disk, storage).ref
            target = self._database.get("VDI", into)
            self.refuse_in_use(target, "copy")
            if target["read_only"]:
                raise Failure("VDI_READONLY", into)
            if target["virtual_size"] < disk["virtual_size"]:
                raise Failure("VDI_TOO_SMALL", into, str(disk["virtual_size"]))
            self.set_content(target, self.content(disk))
            return into

    def _resize(self, ref: str, size: int) -> None:
        with self._database.lock:
            disk = self._database.get("VDI", ref)
            self.refuse_in_use(disk, "resize")
            self._grow(disk, size)

    def _resize_online(self, ref: str, size: int) -> None:
        with self._database.lock:
            disk = self._database.get("VDI", ref)
            if not self._resizes_online:
                raise Failure("SR_OPERATION_NOT_SUPPORTED", disk["SR"])
            self._grow(disk, size)

    def _grow(self, disk: Object, size: int) -> None:
        storage = self._usable(disk["SR"], "resize")
        if size < disk["virtual_size"]:
            raise invalid_size("shrinking not allowed")
        after = rounded(size)
        take_room(storage, after - disk["virtual_size"])
        disk["virtual_size"] = disk["physical_utilisation"] = after

    def _usable(self, ref: str, feature: str) -> Object:
        """Return a storage that is plugged in and can do something."""
        storage = self._database.get("SR", ref)
        plugs = [self._database.get("PBD", plug) for plug in storage["PBDs"]]
        if not any(plug["currently_attached"] for plug in plugs):
            raise Failure("SR_HAS_NO_PBDS", ref)
        need_feature(storage, feature)
        return storage

    def refuse_in_use(self, disk: Object, operation: str, modes: tuple[str, ...] = ("RO", "RW")) -> None:
        """Check that no drive that is plugged in holds a disk.

        :raises Failure: VDI_IN_USE
        """
        drives = [self._database.get("VBD", ref) for ref in disk["VBDs"]]
        if any(drive["currently_attached"] and drive["mode"] in modes for drive in drives):
            raise Failure("VDI_IN_USE", disk.ref, operation)
