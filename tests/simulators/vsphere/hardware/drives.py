"""CD drives."""

from typing import Any

from pyVmomi import vim

from simulators.vsphere.hardware.placement import label, place
from simulators.vsphere.hardware.plan import Plan, State
from simulators.vsphere.inventory.devices import connectable

Drive = vim.vm.device.VirtualCdrom
_BACKINGS = (
    Drive.IsoBackingInfo,
    Drive.RemotePassthroughBackingInfo,
    Drive.RemoteAtapiBackingInfo,
    Drive.AtapiBackingInfo,
    Drive.PassthroughBackingInfo,
)


def add_drive(plan: Plan, index: int, drive: Any) -> None:
    """Add a CD drive."""
    drive.deviceInfo = vim.Description(label=label(plan, Drive, "CD/DVD drive"), summary="")
    place(plan, index, drive)
    if drive.backing is None:
        raise vim.fault.InvalidDeviceBacking(deviceIndex=index)
    _insert(plan, index, drive, drive.backing)
    connect(plan, drive, drive.connectable)


def edit_drive(plan: Plan, index: int, drive: Any, wanted: Any) -> None:
    """Change what is in a CD drive, or whether it is connected.

    :param drive: as it is
    """
    if (wanted.controllerKey, wanted.unitNumber) != (drive.controllerKey, drive.unitNumber):
        raise vim.fault.InvalidDeviceSpec(deviceIndex=index)
    if wanted.backing is not None:
        _insert(plan, index, drive, wanted.backing)
    connect(plan, drive, wanted.connectable or drive.connectable)


def connect(plan: Plan, changed: Any, wanted: Any) -> None:
    """Set how a device is connected. It is not unless the VM runs."""
    changed.connectable = wanted or connectable(starts_connected=True, connected=True)
    changed.connectable.connected = bool(plan.state == State.poweredOn and changed.connectable.connected)
    changed.connectable.status = changed.connectable.status or "untried"


def _insert(plan: Plan, index: int, drive: Any, backing: Any) -> None:
    if not isinstance(backing, _BACKINGS):
        raise vim.fault.InvalidDeviceBacking(deviceIndex=index)
    summary = "Remote device"
    if isinstance(backing, Drive.IsoBackingInfo):
        store, path = plan.locate(backing.fileName)
        plan.get_file(store, path)
        backing.datastore, summary = store.ref, f"ISO {backing.fileName}"
    drive.backing = backing
    drive.deviceInfo.summary = summary
