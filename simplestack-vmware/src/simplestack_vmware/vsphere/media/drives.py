"""Changes of a guest's CD drive, as vSphere's specs."""

from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from simplestack import Conflict
from simplestack_vmware.sdk import vim
from simplestack_vmware.vsphere.inventory.devices import ISO_BACKING, Connectable, Device
from simplestack_vmware.vsphere.inventory.records import VmDevices

if TYPE_CHECKING:
    Change = vim.vm.device.VirtualDeviceSpec

#: Where CD drives can be, the preferred first, with the units of each controller.
_CONTROLLERS = (("VirtualIDEController", 2), ("VirtualAHCIController", 30))
_MAX_SATA_CONTROLLERS = 4
_NEW_CONTROLLER_KEY, _NEW_DRIVE_KEY = -301, -302


class PendingQuestion(Struct, frozen=True):
    """A question that vSphere has asked about a VM."""

    text: str = ""


class VmMedia(VmDevices, frozen=True, kw_only=True):
    """A VM with its devices, and with the question that it waits for an answer to."""

    question: PendingQuestion | None = field(name="runtime.question", default=None)


def require_no_question(vm: VmMedia) -> None:
    """Check that no question about a VM is open: an answer to it would be one to somebody else's question.

    :raises Conflict: one is
    """
    if vm.question is not None:
        raise Conflict(
            f"vSphere asks about guest {vm.name!r}: {vm.question.text!r}: answer it in vSphere first"
        )


def has_iso(drive: Device | None) -> bool:
    """Return whether an ISO image is in a drive, connected or not."""
    return drive is not None and drive.backing.type_name == ISO_BACKING


def is_in(drive: Device, iso: str, *, is_on: bool) -> bool:
    """Return whether an ISO image is in a drive and connected, and will be at the next start."""
    state = drive.connectable or Connectable()
    is_connected = state.start_connected and (state.connected or not is_on)
    return has_iso(drive) and drive.backing.file_name == iso and is_connected


def inserted(drive: Device, iso: str) -> "list[Change]":
    """Return the changes that insert an ISO image into a drive."""
    return [_edited(drive, vim.vm.device.VirtualCdrom.IsoBackingInfo(fileName=iso), connected=True)]


def ejected(drive: Device) -> "list[Change]":
    """Return the changes that leave a drive empty."""
    empty = vim.vm.device.VirtualCdrom.RemotePassthroughBackingInfo(
        deviceName="", exclusive=False, useAutoDetect=False
    )
    return [_edited(drive, empty, connected=False)]


def added(vm: VmDevices, iso: str) -> "list[Change]":
    """Return the changes that add a CD drive with an ISO image in it.

    :raises Conflict: the guest has no place for it
    """
    changes: list[Change] = []
    place = _free_place(vm.devices)
    if place is None:
        taken = {each.bus_number for each in vm.devices if each.type_name == "VirtualAHCIController"}
        numbers = set(range(_MAX_SATA_CONTROLLERS)) - taken
        if not numbers:
            raise Conflict(f"guest {vm.name!r} has no free place for a CD drive: add one in vSphere")
        controller = vim.vm.device.VirtualAHCIController(key=_NEW_CONTROLLER_KEY, busNumber=min(numbers))
        changes.append(vim.vm.device.VirtualDeviceSpec(operation="add", device=controller))
        place = _NEW_CONTROLLER_KEY, 0
    drive = vim.vm.device.VirtualCdrom(
        key=_NEW_DRIVE_KEY,
        controllerKey=place[0],
        unitNumber=place[1],
        backing=vim.vm.device.VirtualCdrom.IsoBackingInfo(fileName=iso),
        connectable=_connection(Connectable(), connected=True),
    )
    return [*changes, vim.vm.device.VirtualDeviceSpec(operation="add", device=drive)]


def _free_place(devices: list[Device]) -> tuple[int, int] | None:
    """Return the key of a controller and a free unit of it."""
    for kind, units in _CONTROLLERS:
        for controller in devices:
            if controller.type_name == kind:
                taken = {each.unit_number for each in devices if each.controller_key == controller.key}
                free = set(range(units)) - taken
                if free:
                    return controller.key, min(free)
    return None


def _edited(drive: Device, backing: Any, *, connected: bool) -> "Change":
    device = vim.vm.device.VirtualCdrom(
        key=drive.key,
        controllerKey=drive.controller_key,
        unitNumber=drive.unit_number,
        backing=backing,
        connectable=_connection(drive.connectable or Connectable(), connected=connected),
    )
    return vim.vm.device.VirtualDeviceSpec(operation="edit", device=device)


def _connection(before: Connectable, *, connected: bool) -> "vim.vm.device.VirtualDevice.ConnectInfo":
    return vim.vm.device.VirtualDevice.ConnectInfo(
        startConnected=connected, connected=connected, allowGuestControl=before.allow_guest_control
    )
