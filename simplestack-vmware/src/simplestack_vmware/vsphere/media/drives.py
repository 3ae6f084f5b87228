"""CD drives: changes of those of guests, and those of new VMs and copies, as vSphere's specs."""

from typing import TYPE_CHECKING, Literal

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
    return [_edited(drive, iso)]


def ejected(drive: Device) -> "list[Change]":
    """Return the changes that leave a drive empty."""
    return [_edited(drive, None)]


def added(vm: VmDevices, iso: str) -> "list[Change]":
    """Return the changes that add a CD drive with an ISO image in it to a VM.

    :raises Conflict: the guest has no place for it
    """
    place = _free_place(vm.devices)
    if place is not None:
        return [_added(_NEW_DRIVE_KEY, place, iso)]
    taken = {each.bus_number for each in vm.devices if each.type_name == "VirtualAHCIController"}
    numbers = set(range(_MAX_SATA_CONTROLLERS)) - taken
    if not numbers:
        raise Conflict(f"guest {vm.name!r} has no free place for a CD drive: add one in vSphere")
    return _on_new_controller(min(numbers), iso)


def new_drive(iso: str | None) -> "list[Change]":
    """Return the changes that add a CD drive to a new VM, on a SATA controller.

    :param iso: path of the ISO image in it, ``[datastore] path``; None for an empty drive
    """
    return _on_new_controller(0, iso)


def copied_drive(drive: Device, key: int, iso: str | None) -> "Change":
    """Return the change that adds a CD drive at the place of another one.

    :param key: negative, and the drive's alone among the changes
    """
    return _added(key, (drive.controller_key or 0, drive.unit_number or 0), iso)


def medium_for_copy(drive: Device, folder: str) -> str | None:
    """Return the ISO image in a drive that a copy of the VM has, too: none in the folder of the VM itself.

    Such an image is deleted with the VM, and may have data for cloud-init.

    :param folder: ``[datastore] folder/``
    """
    iso = drive.backing.file_name if has_iso(drive) else None
    return None if iso is None or iso.startswith(folder) else iso


def drive_backing(iso: str | None) -> "vim.vm.device.VirtualDevice.BackingInfo":
    """Return what is in a drive: an ISO image, or nothing."""
    drive = vim.vm.device.VirtualCdrom
    if iso is None:
        return drive.RemotePassthroughBackingInfo(deviceName="", exclusive=False, useAutoDetect=False)
    return drive.IsoBackingInfo(fileName=iso)


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


def _on_new_controller(number: int, iso: str | None) -> "list[Change]":
    controller = vim.vm.device.VirtualAHCIController(key=_NEW_CONTROLLER_KEY, busNumber=number)
    change = vim.vm.device.VirtualDeviceSpec(operation="add", device=controller)
    return [change, _added(_NEW_DRIVE_KEY, (_NEW_CONTROLLER_KEY, 0), iso)]


def _added(key: int, place: tuple[int, int], iso: str | None) -> "Change":
    return _spec("add", key, place, iso, Connectable())


def _edited(drive: Device, iso: str | None) -> "Change":
    place = drive.controller_key, drive.unit_number
    return _spec("edit", drive.key, place, iso, drive.connectable or Connectable())


def _spec(
    operation: Literal["add", "edit"],
    key: int,
    place: tuple[int | None, int | None],
    iso: str | None,
    before: Connectable,
) -> "Change":
    """Return the change that lets a drive have an ISO image, or nothing, in it."""
    is_connected = iso is not None
    device = vim.vm.device.VirtualCdrom(
        key=key,
        controllerKey=place[0],
        unitNumber=place[1],
        backing=drive_backing(iso),
        connectable=vim.vm.device.VirtualDevice.ConnectInfo(
            startConnected=is_connected,
            connected=is_connected,
            allowGuestControl=before.allow_guest_control,
        ),
    )
    return vim.vm.device.VirtualDeviceSpec(operation=operation, device=device)
