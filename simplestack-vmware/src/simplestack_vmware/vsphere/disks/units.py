"""Free units for disks on a guest's controllers."""

from typing import TYPE_CHECKING, NamedTuple

from simplestack import Conflict
from simplestack_vmware.sdk import vim
from simplestack_vmware.vsphere.inventory.devices import DISK, PARAVIRTUAL_SCSI, Device

if TYPE_CHECKING:
    from collections.abc import Sequence

_SCSI = (
    PARAVIRTUAL_SCSI,
    "VirtualLsiLogicController",
    "VirtualLsiLogicSASController",
    "VirtualBusLogicController",
)
#: Types of controllers that disks can be on.
CONTROLLERS = (*_SCSI, "VirtualAHCIController", "VirtualNVMEController", "VirtualIDEController")
_MAX_CONTROLLERS = 4
#: Keys of new devices are negative until vSphere gives them others.
_NEW_CONTROLLER_KEY = -101


class Family(NamedTuple):
    """Types of controllers that a guest may have up to four of."""

    types: tuple[str, ...]
    units: frozenset[int]


#: Unit 7 of a SCSI controller is the controller itself.
_FAMILIES = (
    Family(_SCSI, frozenset(range(16)) - {7}),
    Family(("VirtualAHCIController",), frozenset(range(30))),
    Family(("VirtualNVMEController",), frozenset(range(15))),
)


class Place(NamedTuple):
    """Where a new disk goes."""

    controller_key: int
    unit: int
    #: Changes that make its controller, if it is a new one.
    changes: "list[vim.vm.device.VirtualDeviceSpec]"
    #: Bus number of the controller.
    bus: int


def free_place(devices: "Sequence[Device]", new_key: int = _NEW_CONTROLLER_KEY) -> Place:
    """Return the first free unit on a controller of the type that the guest's first disk is on.

    If there is none, a further controller of this type is made. Controllers that share their disks with
    other VMs are left out.

    :param new_key: key of the further controller, which is its alone among the changes
    :raises Conflict: the guest has no free unit
    """
    by_key = {device.key: device for device in devices}
    hosts = [
        by_key[disk.controller_key].type_name
        for disk in devices
        if disk.type_name == DISK and disk.controller_key in by_key
    ]
    hosts += [device.type_name for device in devices]
    kind, family = next(
        ((name, family) for name in hosts for family in _FAMILIES if name in family.types),
        (PARAVIRTUAL_SCSI, _FAMILIES[0]),
    )
    controllers = sorted(
        (device for device in devices if device.type_name in family.types),
        key=lambda device: device.bus_number or 0,
    )
    for controller in controllers:
        taken = {device.unit_number for device in devices if device.controller_key == controller.key}
        free = family.units - taken
        if free and controller.shared_bus == "noSharing":
            return Place(controller.key, min(free), [], controller.bus_number or 0)
    numbers = set(range(_MAX_CONTROLLERS)) - {each.bus_number or 0 for each in controllers}
    if not numbers:
        raise Conflict("the guest has no free device for another disk: delete a disk first")
    return Place(new_key, 0, [new_controller(kind, min(numbers), new_key)], min(numbers))


def new_controller(kind: str, number: int, key: int) -> "vim.vm.device.VirtualDeviceSpec":
    """Return the change that adds a controller.

    :param number: of the bus
    :param key: negative, and the controller's alone among the changes
    """
    types = {
        PARAVIRTUAL_SCSI: vim.vm.device.ParaVirtualSCSIController,
        "VirtualLsiLogicController": vim.vm.device.VirtualLsiLogicController,
        "VirtualLsiLogicSASController": vim.vm.device.VirtualLsiLogicSASController,
        "VirtualBusLogicController": vim.vm.device.VirtualBusLogicController,
        "VirtualAHCIController": vim.vm.device.VirtualAHCIController,
        "VirtualNVMEController": vim.vm.device.VirtualNVMEController,
    }
    made = types[kind](key=key, busNumber=number)  # type: ignore[no-untyped-call]  # pyVmomi's constructors have no types
    if kind in _SCSI:
        made.sharedBus = vim.vm.device.VirtualSCSIController.Sharing.noSharing
    return vim.vm.device.VirtualDeviceSpec(
        operation=vim.vm.device.VirtualDeviceSpec.Operation.add, device=made
    )
