"""The disks of VMs and snapshots, as far as their files matter."""

from collections.abc import Iterable
from typing import Annotated, ClassVar

from msgspec import Meta, Struct, field

from simplestack import Conflict
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.disks.units import CONTROLLERS
from simplestack_vmware.vsphere.inventory.devices import DISK, Description
from simplestack_vmware.vsphere.inventory.records import Named, VmSnapshots
from simplestack_vmware.vsphere.reading.schemas import Record


class DiskBacking(Struct, frozen=True):
    """The file of a disk, and those that it is based on."""

    type_name: str = field(name="_typeName", default="")
    #: Empty if it has none that this version knows of.
    file_name: str = field(name="fileName", default="")
    datastore: Ref | None = None
    #: On storages of objects, such as vSAN: the same for all paths of the file.
    object_id: str | None = field(name="backingObjectId", default=None)
    mode: str = field(name="diskMode", default="persistent")
    sharing: str | None = None
    parent: "DiskBacking | None" = None

    @property
    def chain(self) -> "list[DiskBacking]":
        """The file and those that it is based on, the newest first."""
        found, backing = [self], self
        while backing.parent is not None:
            backing = backing.parent
            found.append(backing)
        return found


class FirstClassId(Struct, frozen=True):
    """The ID of a disk that exists without a VM, such as a volume of Kubernetes."""

    id: str = ""


class FileDisk(Struct, frozen=True):
    """A disk, as far as its files matter; or a controller."""

    type_name: str = field(name="_typeName", default="")
    key: int = 0
    controller_key: int | None = field(name="controllerKey", default=None)
    unit_number: int | None = field(name="unitNumber", default=None)
    description: Description = field(name="deviceInfo", default=Description())
    backing: DiskBacking = DiskBacking()
    first_class_id: FirstClassId | None = field(name="vDiskId", default=None)
    #: Of controllers: whether other VMs may use their disks.
    shared_bus: str = field(name="sharedBus", default="noSharing")

    @property
    def label(self) -> str:
        """What people call it."""
        return self.description.label or f"disk {self.key}"


#: None if they cannot be read.
OnlyDisks = Annotated[list[FileDisk] | None, Meta(extra={"only": (DISK,)})]


class VmDisks(VmSnapshots, frozen=True, kw_only=True):
    """A VM with its disks and snapshots."""

    #: Disks and controllers; None if they cannot be read.
    devices: Annotated[list[FileDisk] | None, Meta(extra={"only": (DISK, *CONTROLLERS)})] = field(
        name="config.hardware.device", default=None
    )
    #: Changes with each change of the configuration.
    change_version: str | None = field(name="config.changeVersion", default=None)

    @property
    def disks(self) -> list[FileDisk]:
        """The disks.

        :raises Conflict: they cannot be read
        """
        if self.devices is None:
            raise Conflict(f"vSphere does not show the disks of guest {self.name!r}: look at it in vSphere")
        return [each for each in self.devices if each.type_name == DISK]

    def may_share(self, disk: FileDisk) -> bool:
        """Return whether a disk is made for several VMs, which may be those of another vCenter."""
        buses = {each.key: each.shared_bus for each in self.devices or []}
        is_shared = buses.get(disk.controller_key or 0, "noSharing") != "noSharing"
        return is_shared or disk.backing.sharing not in (None, "sharingNone")


class AnyVmDisks(Named, frozen=True, kw_only=True):
    """The disks of any VM."""

    TYPE: ClassVar[str] = "VirtualMachine"

    disks: OnlyDisks = field(name="config.hardware.device", default=None)
    change_version: str | None = field(name="config.changeVersion", default=None)
    connection_state: str = field(name="runtime.connectionState", default="connected")
    #: The datastores of its files. Needs fewer privileges than the disks.
    datastores: list[Ref] = field(name="datastore", default_factory=list)


class SnapshotDisks(Record, frozen=True, kw_only=True):
    """The disks of a snapshot."""

    TYPE: ClassVar[str] = "VirtualMachineSnapshot"

    vm: Ref | None = None
    disks: OnlyDisks = field(name="config.hardware.device", default=None)


def newest(disks: Iterable[FileDisk]) -> list[DiskBacking]:
    """Return the files that disks write to."""
    return [disk.backing for disk in disks]
