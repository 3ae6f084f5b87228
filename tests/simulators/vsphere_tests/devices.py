"""Specifications of devices, as clients send them."""

from typing import Any

from pyVmomi import vim

device: Any = vim.vm.device
Change: Any = device.VirtualDeviceSpec
KIB, GIB, TIB = 1_024, 1_024**3, 1_024**4


def add(what: Any, file_operation: str | None = None) -> Any:
    """Return the change that adds a device."""
    return Change(operation="add", device=what, fileOperation=file_operation)


def edit(what: Any, file_operation: str | None = None) -> Any:
    """Return the change that edits a device."""
    return Change(operation="edit", device=what, fileOperation=file_operation)


def remove(what: Any, file_operation: str | None = None) -> Any:
    """Return the change that removes a device."""
    return Change(operation="remove", device=what, fileOperation=file_operation)


def new_disk(
    size: int = GIB,
    *,
    unit: int | None = None,
    controller: int | None = 1_000,
    file: str = "",
    thin: bool = True,
) -> Any:
    """Return a disk to add.

    :param size: in bytes
    """
    backing = device.VirtualDisk.FlatVer2BackingInfo(
        fileName=file, diskMode="persistent", thinProvisioned=thin
    )
    return device.VirtualDisk(
        key=-1, controllerKey=controller, unitNumber=unit, capacityInKB=size // KIB, backing=backing
    )


def new_card(network: str = "VM Network", mac: str | None = None, kind: str | None = None) -> Any:
    """Return a network card to add."""
    backing = device.VirtualEthernetCard.NetworkBackingInfo(deviceName=network)
    return device.VirtualVmxnet3(key=-1, backing=backing, macAddress=mac, addressType=kind)


def iso(drive: Any, file: str, *, connected: bool = True) -> Any:
    """Return a CD drive with an ISO image in it."""
    drive.backing = device.VirtualCdrom.IsoBackingInfo(fileName=file)
    drive.connectable = device.VirtualDevice.ConnectInfo(
        startConnected=connected, connected=connected, allowGuestControl=True
    )
    return drive


def of_kind(vm: Any, kind: Any) -> list[Any]:
    """Return the devices of a VM of a type."""
    return [each for each in vm.config.hardware.device if isinstance(each, kind)]


def change(*changes: Any, **fields: Any) -> Any:
    """Return a specification of changes."""
    return vim.vm.ConfigSpec(deviceChange=list(changes), **fields)
