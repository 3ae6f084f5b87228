"""The files of disks, and which VMs use them.

A file may be used by several VMs: as the disk of each, as the parent of a linked clone's disk, or by a
snapshot. vSphere deletes and merges files of one VM without a look at the others.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, ClassVar, Self

from msgspec import Meta, Struct, field

from simplestack import Conflict
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.inventory.devices import DISK, Description
from simplestack_vmware.vsphere.inventory.records import Named, VmSnapshots
from simplestack_vmware.vsphere.inventory.walks import TO_VMS
from simplestack_vmware.vsphere.reading.queries import Query, Walk
from simplestack_vmware.vsphere.reading.schemas import Record
from simplestack_vmware.vsphere.sessions.session import VmwareSession

_TO_SNAPSHOTS = (
    Walk("VirtualMachine", "rootSnapshot", ("VirtualMachineSnapshot",)),
    Walk("VirtualMachineSnapshot", "childSnapshot", ("VirtualMachineSnapshot",)),
)


class DiskBacking(Struct, frozen=True):
    """The file of a disk, and those that it is based on."""

    type_name: str = field(name="_typeName", default="")
    file_name: str = field(name="fileName", default="")
    mode: str = field(name="diskMode", default="persistent")
    sharing: str | None = None
    parent: "DiskBacking | None" = None

    @property
    def chain(self) -> list[str]:
        """The names of the files, the newest first."""
        names, backing = [], self
        while True:
            names.append(backing.file_name)
            if backing.parent is None:
                return names
            backing = backing.parent


class FileDisk(Struct, frozen=True):
    """A disk, as far as its files matter."""

    type_name: str = field(name="_typeName", default="")
    key: int = 0
    controller_key: int | None = field(name="controllerKey", default=None)
    unit_number: int | None = field(name="unitNumber", default=None)
    description: Description = field(name="deviceInfo", default=Description())
    backing: DiskBacking = DiskBacking()

    @property
    def label(self) -> str:
        """What people call it."""
        return self.description.label or f"disk {self.key}"


_Disks = Annotated[list[FileDisk], Meta(extra={"only": (DISK,)})]


class VmDisks(VmSnapshots, frozen=True, kw_only=True):
    """A VM with its disks and snapshots."""

    disks: _Disks = field(name="config.hardware.device", default_factory=list)
    #: Changes with each change of the configuration.
    change_version: str | None = field(name="config.changeVersion", default=None)


class _UsedDisks(Named, frozen=True, kw_only=True):
    """The disks of any VM."""

    TYPE: ClassVar[str] = "VirtualMachine"

    disks: _Disks = field(name="config.hardware.device", default_factory=list)


class _SnapshotDisks(Record, frozen=True, kw_only=True):
    """The disks of a snapshot."""

    TYPE: ClassVar[str] = "VirtualMachineSnapshot"

    vm: Ref | None = None
    disks: _Disks = field(name="config.hardware.device", default_factory=list)


class DiskUsage:
    """The files of a VM's disks and snapshots, and the other VMs that use files."""

    def __init__(self, users: dict[str, str], snapshots: dict[str, list[FileDisk]]) -> None:
        self._users = users
        #: The disks of the VM's snapshots, by managed object ID.
        self.snapshots = snapshots

    @classmethod
    def read(cls, session: VmwareSession, vm: Ref) -> Self:
        """Read the disks of all VMs and their snapshots: one round trip, and one for each further page."""
        kinds: list[type[Record]] = [_UsedDisks, _SnapshotDisks]
        records = session.reader.read(Query([session.root], kinds, (*TO_VMS, *_TO_SNAPSHOTS)))
        names = {each.ref: each.name for each in records if isinstance(each, _UsedDisks)}
        users: dict[str, str] = {}
        snapshots: dict[str, list[FileDisk]] = {}
        for each in records:
            if isinstance(each, _SnapshotDisks) and each.vm == vm:
                snapshots[each.ref.value] = each.disks
            elif isinstance(each, _SnapshotDisks):
                user = "another VM" if each.vm is None else names.get(each.vm, each.vm.value)
                users |= dict.fromkeys(_files(each.disks), user)
            elif isinstance(each, _UsedDisks) and each.ref != vm:
                users |= dict.fromkeys(_files(each.disks), each.name)
        return cls(users, snapshots)

    def user_of(self, names: Iterable[str]) -> str | None:
        """Return the name of another VM that uses one of these files, or None."""
        return next((self._users[name] for name in names if name in self._users), None)

    def require_own(self, names: Iterable[str], attempt: str) -> None:
        """Check that no other VM uses files that would be changed.

        :param attempt: what would change them
        :raises Conflict: one does
        """
        user = self.user_of(names)
        if user is not None:
            raise Conflict(
                f"cannot {attempt}: guest {user!r} uses a file that this would change, as linked clones do: "
                f"delete guest {user!r} first"
            )


def newest(disks: Iterable[FileDisk]) -> list[str]:
    """Return the files that disks write to."""
    return [disk.backing.file_name for disk in disks]


def _files(disks: Iterable[FileDisk]) -> Iterator[str]:
    for disk in disks:
        yield from disk.backing.chain
