"""VMs and templates that are copied, and what of them a copy cannot have."""

from typing import TypeVar

from msgspec import Struct, field

from simplestack import Conflict, GuestState, InvalidState
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.guests.placement import Origin
from simplestack_vmware.vsphere.guests.sizes import SizedVm
from simplestack_vmware.vsphere.inventory.devices import PARAVIRTUAL_SCSI, disks
from simplestack_vmware.vsphere.inventory.names import datastore_in
from simplestack_vmware.vsphere.sessions.lookups import find_guest, require_changeable
from simplestack_vmware.vsphere.sessions.session import VmwareSession

_RAW = "RawDiskMapping"
_NOT_SHARED = (None, "", "sharingNone")


class Option(Struct, frozen=True):
    """An option of a VM, without its value, which may be secret."""

    key: str = ""


class VmOrigin(SizedVm, frozen=True, kw_only=True):
    """A VM or a template with all that a copy depends on."""

    path: str = field(name="config.files.vmPathName", default="")
    options: list[Option] = field(name="config.extraConfig", default_factory=list)
    folder: Ref | None = field(name="parent", default=None)
    pool: Ref | None = field(name="resourcePool", default=None)
    host: Ref | None = field(name="runtime.host", default=None)
    datastores: list[Ref] = field(name="datastore", default_factory=list)
    networks: list[Ref] = field(name="network", default_factory=list)

    @property
    def files(self) -> str:
        """Its folder of files, ``[datastore] folder/``."""
        return f"{self.path.rpartition('/')[0]}/"

    @property
    def home(self) -> str:
        """The name of the datastore of its configuration, as vSphere stores it."""
        return datastore_in(self.path)

    @property
    def is_paravirtualized(self) -> bool:
        """Whether it has a paravirtual SCSI controller."""
        return any(device.type_name == PARAVIRTUAL_SCSI for device in self.devices)

    def place(self, *, keeps_networks: bool, keeps_folder: bool) -> Origin:
        """Return where it is.

        :param keeps_networks: whether the copy has its networks
        """
        return Origin(
            folder=self.folder if keeps_folder else None,
            pool=self.pool,
            host=self.host,
            datastores=self.datastores,
            networks=self.networks if keeps_networks else (),
        )


V = TypeVar("V", bound=VmOrigin)


def find_origin(session: VmwareSession, id_or_name: str, kind: type[V]) -> V:
    """Find what is to be copied, and check that a copy is independent of it.

    :param kind: `VmOrigin`, or one with more fields
    :raises EntityNotFound: ``Guest``
    :raises Conflict: vSphere has lost its files; or a disk is shared or independent
    :raises InvalidState: it is suspended
    :raises NotImplementedError: a disk is a device of the storage
    """
    vm = find_guest(session, id_or_name, kind)
    attempt = f"clone guest {vm.name!r}"
    require_changeable(vm, attempt)
    if not vm.devices:  # every VM has some
        raise Conflict(
            f"cannot {attempt}: vSphere does not show what a copy would share: look at it in vSphere"
        )
    if vm.state == GuestState.PAUSED:
        raise InvalidState(attempt, vm.state, f"{GuestState.STOPPED} or {GuestState.STARTED}")
    buses = {device.key: device.shared_bus for device in vm.devices}
    for disk in disks(vm.devices):
        label = disk.description.label or f"disk {disk.key}"
        if _RAW in disk.backing.type_name:
            raise NotImplementedError(
                f"cannot {attempt}: {label} is a raw device mapping, and a copy would use the same device: "
                "detach it, or copy the guest in vSphere"
            )
        is_shared = disk.backing.sharing not in _NOT_SHARED
        if is_shared or buses.get(disk.controller_key or 0, "noSharing") != "noSharing":
            raise Conflict(f"cannot {attempt}: {label} may be shared with other guests: detach it first")
        if disk.backing.disk_mode.startswith("independent"):
            raise Conflict(
                f"cannot {attempt}: {label} is independent, so snapshots and copies leave it out: make it "
                "dependent in vSphere first"
            )
    return vm
