"""CD drives of new guests."""

from typing import TYPE_CHECKING

from simplestack_vmware.sdk import vim
from simplestack_vmware.vsphere.inventory.devices import ISO_BACKING, Device

if TYPE_CHECKING:
    Change = vim.vm.device.VirtualDeviceSpec

_SATA_KEY, _CD_KEY = -301, -302


def new_drive(iso: str | None) -> "list[Change]":
    """Return the changes that add a CD drive to a new VM, on a SATA controller.

    :param iso: path of the ISO image in it, ``[datastore] path``; None for an empty drive
    """
    made = vim.vm.device.VirtualAHCIController(key=_SATA_KEY, busNumber=0)
    controller = vim.vm.device.VirtualDeviceSpec(operation="add", device=made)
    return [controller, _added(_CD_KEY, _SATA_KEY, 0, iso)]


def copied_drive(drive: Device, key: int, iso: str | None) -> "Change":
    """Return the change that adds a CD drive at the place of another one.

    :param key: negative, and the drive's alone among the changes
    """
    return _added(key, drive.controller_key or 0, drive.unit_number or 0, iso)


def medium_for_copy(drive: Device, folder: str) -> str | None:
    """Return the ISO image in a drive that a copy of the VM has, too: none in the folder of the VM itself.

    Such an image is deleted with the VM, and may have data for cloud-init.

    :param folder: ``[datastore] folder/``
    """
    iso = drive.backing.file_name if drive.backing.type_name == ISO_BACKING else None
    return None if iso is None or iso.startswith(folder) else iso


def _added(key: int, controller_key: int, unit: int, iso: str | None) -> "Change":
    backing: vim.vm.device.VirtualDevice.BackingInfo
    if iso is None:
        backing = vim.vm.device.VirtualCdrom.RemotePassthroughBackingInfo(deviceName="", exclusive=False)
    else:
        backing = vim.vm.device.VirtualCdrom.IsoBackingInfo(fileName=iso)
    drive = vim.vm.device.VirtualCdrom(
        key=key,
        controllerKey=controller_key,
        unitNumber=unit,
        backing=backing,
        connectable=vim.vm.device.VirtualDevice.ConnectInfo(
            startConnected=iso is not None, allowGuestControl=True, connected=False
        ),
    )
    return vim.vm.device.VirtualDeviceSpec(operation="add", device=drive)
