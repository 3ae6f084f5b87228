"""Changes of devices, in the order that vSphere makes them: new controllers first."""

from typing import Any

from pyVmomi import vim, vmodl

from simulators.vsphere.data import copy
from simulators.vsphere.hardware import cards, disks, drives, placement
from simulators.vsphere.hardware.plan import Plan, check_known
from simulators.vsphere.schema import name_of

device = vim.vm.device
Operation = device.VirtualDeviceSpec.Operation


def change_devices(plan: Plan, changes: list[Any]) -> None:
    """Make changes of devices in a plan.

    :raises InvalidDeviceSpec: one cannot be made; ``deviceIndex`` is its place among them
    """
    numbered = list(enumerate(changes))
    for index, change in sorted(numbered, key=lambda each: not _is_new_controller(each[1])):
        _change(plan, index, change)


def _is_new_controller(change: Any) -> bool:
    return change.operation == Operation.add and isinstance(change.device, device.VirtualController)


def _change(plan: Plan, index: int, change: Any) -> None:
    check_known(change, ("operation", "fileOperation", "device"))
    plan.need_not_suspended()
    wanted, file_operation = copy(change.device), change.fileOperation
    is_disk = isinstance(wanted, device.VirtualDisk)
    if change.operation is None or (file_operation is not None and not is_disk):
        raise vim.fault.InvalidDeviceOperation(deviceIndex=index, badFileOp=file_operation)
    if change.operation == Operation.add:
        _add(plan, index, wanted, file_operation)
        return
    current = plan.find(wanted.key)
    if current is None or not isinstance(current, type(wanted)):
        raise vim.fault.InvalidDeviceSpec(deviceIndex=index)
    if change.operation == Operation.edit:
        _edit(plan, index, current, wanted, file_operation)
    elif is_disk:
        disks.remove_disk(plan, index, current, file_operation)
    else:
        placement.take_out(plan, index, current)


def _add(plan: Plan, index: int, wanted: Any, file_operation: Any) -> None:
    match wanted:
        case device.VirtualDisk():
            disks.add_disk(plan, index, wanted, file_operation)
        case device.VirtualCdrom():
            drives.add_drive(plan, index, wanted)
        case device.VirtualEthernetCard():
            cards.add_card(plan, index, wanted)
        case device.VirtualController():
            placement.add_controller(plan, index, wanted)
        case _:
            raise _unknown(wanted)


def _edit(plan: Plan, index: int, current: Any, wanted: Any, file_operation: Any) -> None:
    match current:
        case device.VirtualDisk():
            disks.edit_disk(plan, index, current, wanted, file_operation)
        case device.VirtualCdrom():
            drives.edit_drive(plan, index, current, wanted)
        case device.VirtualEthernetCard():
            cards.edit_card(plan, index, current, wanted)
        case _:
            raise _unknown(wanted)


def _unknown(wanted: Any) -> Exception:
    kind = name_of(type(wanted))
    return vmodl.fault.NotImplemented(msg=f"The simulator does not change devices of the type {kind}.")
