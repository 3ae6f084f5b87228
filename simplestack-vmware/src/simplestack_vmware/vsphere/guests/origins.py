"""VMs and templates that are copied, and what of them a copy cannot have."""

from typing import TYPE_CHECKING

from msgspec import Struct, field

from simplestack import Conflict, GuestState, InvalidState
from simplestack_vmware.sdk import VmomiSupport, vim
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.guests.hardware import drives_with, with_medium
from simplestack_vmware.vsphere.guests.placement import Origin
from simplestack_vmware.vsphere.inventory.devices import PARAVIRTUAL_SCSI, Device, disks, interfaces
from simplestack_vmware.vsphere.inventory.records import VmDevices
from simplestack_vmware.vsphere.sessions.lookups import find_guest, require_changeable
from simplestack_vmware.vsphere.sessions.session import VmwareSession

if TYPE_CHECKING:
    Changes = list[vim.vm.device.VirtualDeviceSpec]

_FLAT = "VirtualDiskFlatVer2BackingInfo"
_RAW = "RawDiskMapping"
_NOT_SHARED = (None, "", "sharingNone")


class Option(Struct, frozen=True):
    """An option of a VM, without its value, which may be secret."""

    key: str = ""


class VmOrigin(VmDevices, frozen=True, kw_only=True):
    """A VM or a template with all that a copy depends on."""

    path: str = field(name="config.files.vmPathName", default="")
    cores_per_socket: int = field(name="config.hardware.numCoresPerSocket", default=1)
    options: list[Option] = field(name="config.extraConfig", default_factory=list)
    folder: Ref | None = field(name="parent", default=None)
    pool: Ref | None = field(name="resourcePool", default=None)
    host: Ref | None = field(name="runtime.host", default=None)
    datastores: list[Ref] = field(name="datastore", default_factory=list)
    networks: list[Ref] = field(name="network", default_factory=list)

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


def find_origin(session: VmwareSession, id_or_name: str) -> VmOrigin:
    """Find what is to be copied, and check that a copy is independent of it.

    :raises EntityNotFound: ``Guest``
    :raises Conflict: vSphere has lost its files; or a disk is shared or independent
    :raises InvalidState: it is suspended
    :raises NotImplementedError: a disk is a device of the storage
    """
    vm = find_guest(session, id_or_name, VmOrigin)
    attempt = f"copy guest {vm.name!r}"
    require_changeable(vm, attempt)
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


def changes_of_identity(vm: VmOrigin, *, is_vcenter: bool, keeps_cards: bool) -> "Changes":
    """Return the changes of devices that a copy needs, so that it has nothing of the original's alone.

    MAC addresses that people have chosen are replaced. Drives with an ISO image in the original's folder are
    emptied: it may have data for cloud-init, and is deleted with the original.
    """
    changes = []
    if keeps_cards:
        chosen = [card for card in interfaces(vm.devices) if card.address_type == "manual"]
        changes += [_with_new_address(card, "assigned" if is_vcenter else "generated") for card in chosen]
    folder = f"{vm.path.rpartition('/')[0]}/"
    return changes + [with_medium(drive, None) for drive in drives_with(vm.devices, folder)]


def _with_new_address(card: Device, kind: str) -> "vim.vm.device.VirtualDeviceSpec":
    device = VmomiSupport.GetWsdlType("urn:vim25", card.type_name)(
        key=card.key,
        controllerKey=card.controller_key,
        unitNumber=card.unit_number,
        backing=_backing_of(card),
        addressType=kind,
        macAddress="",
    )
    return vim.vm.device.VirtualDeviceSpec(operation="edit", device=device)


def _backing_of(card: Device) -> "vim.vm.device.VirtualDevice.BackingInfo | None":
    backing, kinds = card.backing, vim.vm.device.VirtualEthernetCard
    if backing.port is not None:
        return kinds.DistributedVirtualPortBackingInfo(
            port=vim.dvs.PortConnection(
                switchUuid=backing.port.switch_uuid, portgroupKey=backing.port.portgroup_key
            )
        )
    if backing.network is not None and backing.device_name is not None:
        return kinds.NetworkBackingInfo(deviceName=backing.device_name)
    return None  # as it is
