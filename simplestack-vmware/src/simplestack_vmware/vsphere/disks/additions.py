"""New disks of new guests."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from simplestack_vmware.sdk import vim
from simplestack_vmware.vsphere.disks.units import free_place, new_controller
from simplestack_vmware.vsphere.inventory.devices import DISK, PARAVIRTUAL_SCSI, Device

if TYPE_CHECKING:
    Changes = list[vim.vm.device.VirtualDeviceSpec]

_LSI_LOGIC = "VirtualLsiLogicController"
_FIRST_CONTROLLER_KEY, _FIRST_DISK_KEY = -101, -201
_KIB = 1024


class NewDisk(NamedTuple):
    """A disk of a new guest: an empty one, or one with a file that is there."""

    #: Of an empty one.
    size_bytes: int = 0
    #: Of an empty one: ``[datastore]``; an empty string for that of the guest's configuration. Else its file.
    path: str = ""
    #: Key of its controller and its unit; None for the first free ones.
    place: tuple[int, int] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether its file is made."""
        return self.size_bytes > 0


def added_disks(
    devices: Sequence[Device], wanted: Sequence[NewDisk], *, paravirtualized: bool = True
) -> "Changes":
    """Return the changes that add disks to a VM, at its first free units. New ones are thin.

    :param devices: of the VM; none for a new one, which also gets a SCSI controller
    :param paravirtualized: type of the controller of a new VM
    :raises Conflict: there are not enough free units
    """
    devices = list(devices)
    changes: Changes = []
    if not devices:
        kind = PARAVIRTUAL_SCSI if paravirtualized else _LSI_LOGIC
        changes.append(new_controller(kind, 0, _FIRST_CONTROLLER_KEY))
        devices += map(_device, changes)
    for number, disk in enumerate(wanted):
        if disk.place is None:
            place = free_place(devices, _FIRST_CONTROLLER_KEY - 1 - number)
            changes += place.changes
            devices += map(_device, place.changes)
            controller_key, unit = place.controller_key, place.unit
        else:
            controller_key, unit = disk.place
        key = _FIRST_DISK_KEY - number
        devices.append(Device(type_name=DISK, key=key, controller_key=controller_key, unit_number=unit))
        changes.append(_added(disk, key, controller_key, unit))
    return changes


def _device(change: "vim.vm.device.VirtualDeviceSpec") -> Device:
    made = change.device
    return Device(
        type_name=type(made)._wsdlName,  # noqa: SLF001  pyvmomi's naming
        key=made.key,
        bus_number=getattr(made, "busNumber", 0),
    )


def _added(disk: NewDisk, key: int, controller_key: int, unit: int) -> "vim.vm.device.VirtualDeviceSpec":
    size = -(-disk.size_bytes // _KIB)
    device = vim.vm.device.VirtualDisk(
        key=key,
        controllerKey=controller_key,
        unitNumber=unit,
        backing=vim.vm.device.VirtualDisk.FlatVer2BackingInfo(
            fileName=disk.path, diskMode="persistent", thinProvisioned=True if disk.is_empty else None
        ),
        capacityInKB=size,
        capacityInBytes=size * _KIB if disk.is_empty else None,
    )
    return vim.vm.device.VirtualDeviceSpec(
        operation="add", fileOperation="create" if disk.is_empty else None, device=device
    )
