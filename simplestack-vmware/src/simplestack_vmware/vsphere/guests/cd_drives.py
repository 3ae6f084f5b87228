"""CD drives of new guests."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simplestack_vmware.sdk import vim
from simplestack_vmware.vsphere.inventory.devices import ISO_BACKING, Device

if TYPE_CHECKING:
    Change = vim.vm.device.VirtualDeviceSpec

_SATA = "VirtualAHCIController"
_SATA_KEY, _CD_KEY = -301, -302
_SATA_UNITS = frozenset(range(30))


def new_drive(iso: str | None, devices: Sequence[Device] = ()) -> "list[Change]":
    """Return the changes that add a CD drive, on the first SATA controller with a free unit, or on a new one.

    :param iso: path of the ISO image in it, ``[datastore] path``; None for an empty drive
    :param devices: what the VM has
    """
    for controller in (device for device in devices if device.type_name == _SATA):
        taken = {device.unit_number for device in devices if device.controller_key == controller.key}
        if _SATA_UNITS - taken:
            return [_added(_CD_KEY, controller.key, min(_SATA_UNITS - taken), iso)]
    numbers = {device.bus_number or 0 for device in devices if device.type_name == _SATA}
    made = vim.vm.device.VirtualAHCIController(key=_SATA_KEY, busNumber=max(numbers, default=-1) + 1)
    controller_change = vim.vm.device.VirtualDeviceSpec(operation="add", device=made)
    return [controller_change, _added(_CD_KEY, _SATA_KEY, 0, iso)]


def copied_drive(drive: Device, key: int, iso: str | None) -> "Change":
    """Return the change that adds a CD drive at the place of another one.

    :param key: negative, and the drive's alone among the changes
    """
    return _added(key, drive.controller_key or 0, drive.unit_number or 0, iso)


def with_medium(drive: Device, iso: str | None) -> "Change":
    """Return the change that puts an ISO image into a CD drive, or empties it."""
    return vim.vm.device.VirtualDeviceSpec(
        operation="edit", device=_device(drive.key, drive.controller_key or 0, drive.unit_number or 0, iso)
    )


def medium_for_copy(drive: Device, folder: str) -> str | None:
    """Return the ISO image in a drive that a copy of the VM has, too: none in the folder of the VM itself.

    Such an image is deleted with the VM, and may have data for cloud-init.

    :param folder: ``[datastore] folder/``
    """
    iso = drive.backing.file_name if drive.backing.type_name == ISO_BACKING else None
    return None if iso is None or iso.startswith(folder) else iso


def _added(key: int, controller_key: int, unit: int, iso: str | None) -> "Change":
    return vim.vm.device.VirtualDeviceSpec(operation="add", device=_device(key, controller_key, unit, iso))


def _device(key: int, controller_key: int, unit: int, iso: str | None) -> "vim.vm.device.VirtualCdrom":
    backing: vim.vm.device.VirtualDevice.BackingInfo
    if iso is None:
        backing = vim.vm.device.VirtualCdrom.RemotePassthroughBackingInfo(deviceName="", exclusive=False)
    else:
        backing = vim.vm.device.VirtualCdrom.IsoBackingInfo(fileName=iso)
    return vim.vm.device.VirtualCdrom(
        key=key,
        controllerKey=controller_key,
        unitNumber=unit,
        backing=backing,
        connectable=vim.vm.device.VirtualDevice.ConnectInfo(
            startConnected=iso is not None, allowGuestControl=True, connected=False
        ),
    )
