"""VMs as images, out of the pool and into it."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from simulators.xapi.archive import (
    Document,
    ImageDisk,
    Readable,
    Writable,
    read_disks,
    read_document,
    write_image,
)
from simulators.xapi.database import Database, Object
from simulators.xapi.devices import Devices
from simulators.xapi.failures import Failure
from simulators.xapi.lifecycle import SUSPENDED, check, update_allowed_operations
from simulators.xapi.machines import Machines

#: What an image says of a disk.
_KEPT_OF_DISK = ("name_label", "virtual_size", "type", "other_config")


class Transfer:
    """Exports and imports VMs."""

    def __init__(self, database: Database, devices: Devices, machines: Machines) -> None:
        self._database = database
        self._devices = devices
        self._machines = machines

    def check_export(self, vm: Object) -> None:
        """Check that a VM can be exported.

        :raises Failure: VM_BAD_POWER_STATE
        """
        check(self._database, vm, "export")

    def export(self, vm: Object, target: Writable, *, keep_power_state: bool) -> Iterator[bool]:
        """Write a VM's image; after each piece of its disks yield whether that was its middle.

        :param keep_power_state: whether one that is suspended is to be so where it is imported
        """
        with self._database.lock:
            document = self._document(vm, keep_power_state=keep_power_state)
        yield from _with_middle(write_image(document, target), document.pieces)

    def import_(self, source: Readable, storage: str, look: Callable[[bool], None]) -> str:
        """Make a VM of an image, and return it. A failure leaves nothing behind.

        :param look: called when the VM is made, and after each piece, with whether half has been read
        :raises Failure: IMPORT_ERROR, SR_FULL and so on
        """
        document = read_document(source)
        with self._database.lock:
            made = self._build(document, storage)
        try:
            look(not document.pieces)
            for is_middle in _with_middle(read_disks(source, document), document.pieces):
                look(is_middle)
        except Failure:
            self._undo(made)
            raise
        return made.ref

    def _document(self, vm: Object, *, keep_power_state: bool) -> Document:
        disks = []
        for ref in vm["VBDs"]:
            drive = self._database.get("VBD", ref)
            if drive["type"] == "Disk":
                disk = self._database.get("VDI", drive["VDI"])
                kept = {name: disk[name] for name in _KEPT_OF_DISK}
                own = {name: drive[name] for name in ("userdevice", "bootable", "mode", "unpluggable")}
                disks.append(ImageDisk(own, kept, self._devices.storage.content(disk)))
        kept_of_interface = ("device", "MAC", "MTU", "locking_mode", "ipv4_allowed", "ipv6_allowed")
        interfaces = []
        for ref in vm["VIFs"]:
            interface = self._database.get("VIF", ref)
            network = self._database.get("network", interface["network"])
            interfaces.append(
                {name: interface[name] for name in kept_of_interface} | {"network": network["name_label"]}
            )
        is_suspended = keep_power_state and vm["power_state"] == SUSPENDED
        state: Literal["Halted", "Suspended"] = "Suspended" if is_suspended else "Halted"
        return Document(self._machines.portable(vm), state, disks, interfaces)

    def _build(self, document: Document, storage: str) -> Object:
        made = self._machines.add(document.vm)
        try:
            for each in document.disks:
                disk = self._devices.storage.create_disk({**each.disk, "SR": storage})
                self._devices.storage.set_content(disk, each.content)
                self._devices.drives.create(
                    {**each.drive, "VM": made.ref, "VDI": disk.ref, "type": "Disk", "empty": False}
                )
            for interface in document.interfaces:
                self._devices.networking.create_interface(
                    {**interface, "VM": made.ref, "network": self._network(interface)}
                )
        except Failure:
            self._undo(made)
            raise
        except (LookupError, TypeError) as error:
            self._undo(made)
            raise Failure("IMPORT_ERROR", f"what the image says of a device: {error!r}") from error
        made["power_state"] = document.power_state
        update_allowed_operations(self._database, made)
        return made

    def _network(self, interface: Mapping[str, Any]) -> str:
        """Return the network of the same name, else any."""
        networks = list(self._database.all("network"))
        same = [found for found in networks if found["name_label"] == interface["network"]]
        return (same or networks)[0].ref

    def _undo(self, made: Object) -> None:
        with self._database.lock:
            if self._database.find("VM", made.ref) is not None:
                self._machines.undo(made)

    def default_storage(self) -> Object:
        """Return the pool's default storage.

        :raises Failure: DEFAULT_SR_NOT_FOUND
        """
        (pool,) = self._database.all("pool")
        found = self._database.find("SR", pool["default_SR"])
        if found is None:
            raise Failure("DEFAULT_SR_NOT_FOUND", pool["default_SR"])
        return found

    def check_storage(self, ref: str) -> Object:
        """Return a storage that a host can reach.

        :raises Failure: NO_HOSTS_AVAILABLE
        """
        storage = self._database.find("SR", ref)
        plugs = [] if storage is None else [self._database.get("PBD", plug) for plug in storage["PBDs"]]
        if storage is None or not any(plug["currently_attached"] for plug in plugs):
            raise Failure("NO_HOSTS_AVAILABLE")
        return storage

    def check_storages(self, ref: str) -> Object:
        """Return a VM all of whose disks a host can reach.

        :raises Failure: NO_HOSTS_AVAILABLE
        """
        vm = self._database.find("VM", ref)
        if vm is None:
            raise Failure("NO_HOSTS_AVAILABLE")
        for drive in vm["VBDs"]:
            disk = self._database.find("VDI", self._database.get("VBD", drive)["VDI"])
            if disk is not None:
                self.check_storage(disk["SR"])
        return vm


def _with_middle(pieces: Iterator[None], count: int) -> Iterator[bool]:
    """Yield after each piece whether that was the middle one."""
    middle = max(1, count // 2)
    for number, _ in enumerate(pieces, 1):
        yield number == middle
