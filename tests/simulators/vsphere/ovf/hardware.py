"""What OVF descriptors call the hardware of VMs."""

from enum import IntEnum
from typing import Any

from pyVmomi import vim

device = vim.vm.device


class Resource(IntEnum):
    """Types of hardware, as CIM numbers them."""

    OTHER = 1
    PROCESSORS = 3
    MEMORY = 4
    IDE_CONTROLLER = 5
    SCSI_CONTROLLER = 6
    CARD = 10
    FLOPPY_DRIVE = 14
    CD_DRIVE = 15
    DVD_DRIVE = 16
    DISK = 17
    OTHER_STORAGE_CONTROLLER = 20
    VIDEO_CARD = 24


#: Controllers, by what they are and their subtype. The first of SCSI is that without a subtype.
CONTROLLERS: tuple[tuple[Any, Resource, str], ...] = (
    (device.VirtualLsiLogicController, Resource.SCSI_CONTROLLER, "lsilogic"),
    (device.VirtualLsiLogicSASController, Resource.SCSI_CONTROLLER, "lsilogicsas"),
    (device.VirtualBusLogicController, Resource.SCSI_CONTROLLER, "buslogic"),
    (device.ParaVirtualSCSIController, Resource.SCSI_CONTROLLER, "VirtualSCSI"),
    (device.VirtualAHCIController, Resource.OTHER_STORAGE_CONTROLLER, "vmware.sata.ahci"),
    (device.VirtualNVMEController, Resource.OTHER_STORAGE_CONTROLLER, "vmware.nvme.controller"),
)
#: Network cards by their subtype. The first is that without one.
CARDS: tuple[tuple[Any, str], ...] = (
    (device.VirtualVmxnet3, "VmxNet3"),
    (device.VirtualE1000, "E1000"),
    (device.VirtualE1000e, "E1000e"),
    (device.VirtualPCNet32, "PCNet32"),
)


def controller_of(kind: int, subtypes: str) -> Any:
    """Return the type of a controller; None if there is none.

    :param subtypes: what it may be, with spaces between them
    """
    wanted = subtypes.lower().split()
    for controller, own, name in CONTROLLERS:
        if own == kind and (name.lower() in wanted or (not wanted and kind == Resource.SCSI_CONTROLLER)):
            return controller
    return None


def card_of(subtypes: str) -> Any:
    """Return the type of a network card; None if there is none.

    :param subtypes: what it may be, with spaces between them
    """
    wanted = subtypes.lower().split()
    return next((card for card, name in CARDS if not wanted or name.lower() in wanted), None)
