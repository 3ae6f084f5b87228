"""Which VMs use the files of disks.

A file may be used by several VMs: as the disk of each, as the parent of a linked clone's disk, or by a
snapshot. vSphere deletes and merges files of one VM without a look at the others.
"""

from collections.abc import Iterable
from typing import NamedTuple, Self

from simplestack import Busy, Conflict
from simplestack_vmware.vsphere.changes.reconfiguring import Versioned
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.disks.files import AnyVmDisks, FileDisk, SnapshotDisks
from simplestack_vmware.vsphere.disks.volumes import Datastore, FileBacking, Place, Volumes, may_be_same
from simplestack_vmware.vsphere.inventory.walks import TO_THEIR_SNAPSHOTS, TO_VMS, WITH_DATASTORES
from simplestack_vmware.vsphere.reading.queries import Query
from simplestack_vmware.vsphere.reading.schemas import Record
from simplestack_vmware.vsphere.sessions.session import VmwareSession

_DISKS = "config.hardware.device"


class Use(NamedTuple):
    """That another VM uses a file."""

    guest: str
    #: Why it is not certain; None if it is.
    doubt: str | None = None

    def of(self, what: str) -> str:
        """Return it as a sentence."""
        if self.doubt is None:
            return f"{self.guest} uses {what}"
        return f"{self.guest} may use {what}: {self.doubt}"


class _Unreadable(NamedTuple):
    """A VM whose disks are not known."""

    use: Use
    #: The storages that it uses; empty if they are not known, either.
    volumes: frozenset[str | None]


class DiskUsage:
    """The files of a VM's snapshots, and the other VMs that use files."""

    def __init__(self, volumes: Volumes) -> None:
        #: The disks of the VM's snapshots, by managed object ID; None if they cannot be read.
        self.snapshots: dict[str, list[FileDisk] | None] = {}
        self._volumes = volumes
        self._by_path: dict[str, list[tuple[Place, str]]] = {}
        self._by_object: dict[str, str] = {}
        self._unreadable: list[_Unreadable] = []

    @classmethod
    def read(cls, session: VmwareSession, vm: Versioned) -> Self:
        """Read the disks of all VMs and their snapshots: one round trip, and one for each further page.

        :param vm: the VM, as it was read
        :raises Busy: others have changed the VM since then
        """
        kinds: list[type[Record]] = [AnyVmDisks, SnapshotDisks, Datastore]
        records = session.reader.read(
            Query([session.root], kinds, (*TO_VMS, *TO_THEIR_SNAPSHOTS, WITH_DATASTORES))
        )
        usage = cls(Volumes(each for each in records if isinstance(each, Datastore)))
        vms = {each.ref: each for each in records if isinstance(each, AnyVmDisks)}
        own = vms.pop(vm.ref, None)
        if own is None:  # its folder is hidden, and so are the other VMs in it
            usage._unreadable.append(
                _Unreadable(Use("another guest", "the user may not see all guests"), frozenset())
            )
        elif own.change_version != vm.change_version:
            raise Busy("others are changing the guest: try again later")
        for each in vms.values():
            usage._add(each)
        for snapshot in (each for each in records if isinstance(each, SnapshotDisks)):
            if snapshot.vm == vm.ref:
                usage.snapshots[snapshot.ref.value] = snapshot.disks
            else:
                usage._add_snapshot(snapshot, vms)
        return usage

    def find(self, backings: Iterable[FileBacking]) -> Use | None:
        """Return the use of one of these files by another VM, or None. One that is certain comes first."""
        places = []
        for backing in backings:
            place = self._volumes.place(backing)
            users = [user for other, user in self._by_path.get(place.path, ()) if other.may_be(place)]
            if backing.object_id and backing.object_id in self._by_object:
                users.append(self._by_object[backing.object_id])
            if users:
                return Use(f"guest {users[0]!r}")
            places.append(place)
        for unreadable in self._unreadable:
            if not unreadable.volumes or any(
                may_be_same(place.volume, volume) for place in places for volume in unreadable.volumes
            ):
                return unreadable.use
        return None

    def require_own(self, backings: Iterable[FileBacking], attempt: str) -> None:
        """Check that no other VM uses files that would be changed.

        :param attempt: what would change them
        :raises Conflict: one does, or may
        """
        use = self.find(backings)
        if use is None:
            return
        if use.doubt is not None:
            raise Conflict(f"cannot {attempt}: {use.of('a file that this would change')}")
        raise Conflict(
            f"cannot {attempt}: {use.of('a file that this would change')}, as linked clones do: "
            f"delete {use.guest} first"
        )

    def _add(self, vm: AnyVmDisks) -> None:
        if vm.disks is None:
            self._add_unreadable(vm, _doubt(vm))
        else:
            self._add_disks(vm.disks, vm.name, vm)

    def _add_snapshot(self, snapshot: SnapshotDisks, vms: dict[Ref, AnyVmDisks]) -> None:
        vm = None if snapshot.vm is None else vms.get(snapshot.vm)
        if snapshot.disks is not None:
            self._add_disks(snapshot.disks, "another VM" if vm is None else vm.name, vm)
        else:
            self._add_unreadable(vm, "the user may not read its snapshots")

    def _add_disks(self, disks: Iterable[FileDisk], user: str, vm: AnyVmDisks | None) -> None:
        for disk in disks:
            for backing in disk.backing.chain:
                if not backing.file_name:
                    self._add_unreadable(vm, f"the file of its {disk.label} is not known")
                    continue
                place = self._volumes.place(backing)
                self._by_path.setdefault(place.path, []).append((place, user))
                if backing.object_id:
                    self._by_object[backing.object_id] = user

    def _add_unreadable(self, vm: AnyVmDisks | None, doubt: str) -> None:
        name = "another guest" if vm is None else f"guest {vm.name!r}"
        volumes = frozenset[str | None]() if vm is None else frozenset(map(self._volumes.of, vm.datastores))
        self._unreadable.append(_Unreadable(Use(name, doubt), volumes))


def _doubt(vm: AnyVmDisks) -> str:
    """Return why the disks of a VM are not known."""
    if _DISKS in vm.lacks:
        return "the user may not read its disks"
    if vm.connection_state != "connected":
        return f"vSphere cannot read its configuration (it is {vm.connection_state})"
    return "vSphere does not show its disks"
