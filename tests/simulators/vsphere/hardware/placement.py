"""Where devices are: controllers, units on them, and the keys that follow."""

from typing import Any, NamedTuple

from pyVmomi import vim

from simulators.vsphere.hardware.plan import Plan

device = vim.vm.device


class Bus(NamedTuple):
    """A kind of controller."""

    kind: Any
    label: str
    #: Of the first controller.
    key: int
    #: Of the first device on the first controller.
    device_key: int
    units: int
    max_controllers: int
    can_hot_plug: bool = True
    #: The unit that the controller takes itself.
    reserved: int | None = None


BUSES = (
    Bus(device.VirtualSCSIController, "SCSI controller", 1_000, 2_000, 16, 4, reserved=7),
    Bus(device.VirtualIDEController, "IDE", 200, 3_000, 2, 2, can_hot_plug=False),
    Bus(device.VirtualSATAController, "SATA controller", 15_000, 16_000, 30, 4),
    Bus(device.VirtualNVMEController, "NVME controller", 31_000, 32_000, 15, 4),
)


def bus_of(controller: Any) -> Bus | None:
    """Return the kind of a controller; None if no disks or drives go there."""
    return next((bus for bus in BUSES if isinstance(controller, bus.kind)), None)


def place(plan: Plan, index: int, wanted: Any) -> None:
    """Give a disk or a drive a place on its controller, and its key.

    :param index: of its change, for faults
    :raises InvalidDeviceSpec: its controller or its unit does not take it
    :raises TooManyDevices: the controller is full
    """
    if wanted.controllerKey is None:
        raise vim.fault.MissingController(deviceIndex=index)
    key = plan.new_keys.get(wanted.controllerKey, wanted.controllerKey)
    controller = plan.find(key)
    bus = bus_of(controller)
    if bus is None:
        raise vim.fault.InvalidController(deviceIndex=index, controllerKey=wanted.controllerKey)
    _check_hot_plug(plan, bus)
    taken = {each.unitNumber for each in plan.devices if each.controllerKey == key} | {bus.reserved}
    unit = wanted.unitNumber
    if unit is None or unit < 0:
        unit = next((each for each in range(bus.units) if each not in taken), None)
        if unit is None:
            raise vim.fault.TooManyDevices
    elif unit >= bus.units or unit in taken:
        raise vim.fault.InvalidDeviceSpec(deviceIndex=index)
    wanted.controllerKey, wanted.unitNumber = key, unit
    wanted.key = bus.device_key + controller.busNumber * bus.units + unit
    controller.device.append(wanted.key)
    plan.devices.append(wanted)


def add_controller(plan: Plan, index: int, wanted: Any) -> None:
    """Add a controller.

    :raises TooManyDevices: there are as many as a VM can have
    :raises InvalidDeviceSpec: its number is taken
    """
    bus = bus_of(wanted)
    if bus is None or isinstance(wanted, device.VirtualIDEController):
        raise vim.fault.InvalidDeviceSpec(deviceIndex=index)
    taken = {each.busNumber for each in plan.of_kind(bus.kind)}
    free = [number for number in range(bus.max_controllers) if number not in taken]
    if not free:
        raise vim.fault.TooManyDevices
    if wanted.busNumber < 0 or wanted.busNumber >= bus.max_controllers:
        raise vim.fault.InvalidDeviceSpec(deviceIndex=index)
    if wanted.busNumber in taken:
        raise vim.fault.InvalidDeviceSpec(deviceIndex=index)
    number = wanted.busNumber
    given_key, wanted.key = wanted.key, bus.key + number
    plan.new_keys[given_key] = wanted.key
    wanted.controllerKey, wanted.unitNumber = 100, 3 + number + 10 * BUSES.index(bus)
    wanted.device = []
    if isinstance(wanted, device.VirtualSCSIController):
        wanted.scsiCtlrUnitNumber, wanted.hotAddRemove = 7, True
    label = f"{bus.label} {number}"
    wanted.deviceInfo = vim.Description(label=label, summary=label)
    plan.find(100).device.append(wanted.key)
    plan.devices.append(wanted)


def take_out(plan: Plan, index: int, leaving: Any) -> None:
    """Remove a device.

    :raises InvalidDeviceOperation: it is a controller that has devices, or one that every VM has
    :raises InvalidPowerState: it cannot be removed while the VM runs
    """
    is_fixed = isinstance(leaving, _FIXED)
    if is_fixed or any(each.controllerKey == leaving.key for each in plan.devices):
        remove = device.VirtualDeviceSpec.Operation.remove
        raise vim.fault.InvalidDeviceOperation(deviceIndex=index, badOp=remove)
    if isinstance(leaving, device.VirtualController):
        plan.need_off()
    controller = plan.find(leaving.controllerKey)
    _check_hot_plug(plan, bus_of(controller))
    if controller is not None and leaving.key in controller.device:
        controller.device.remove(leaving.key)
    plan.devices.remove(leaving)


def _check_hot_plug(plan: Plan, bus: Bus | None) -> None:
    if bus is not None and not bus.can_hot_plug:
        plan.need_off()


def label(plan: Plan, kind: Any, name: str) -> str:
    """Return the label of a new device: ``Hard disk 3``."""
    taken = {each.deviceInfo.label for each in plan.of_kind(kind) if each.deviceInfo}
    number = next(each for each in range(1, len(taken) + 2) if f"{name} {each}" not in taken)
    return f"{name} {number}"


_FIXED = (
    device.VirtualIDEController,
    device.VirtualPCIController,
    device.VirtualPS2Controller,
    device.VirtualSIOController,
    device.VirtualKeyboard,
    device.VirtualPointingDevice,
    device.VirtualVideoCard,
    device.VirtualVMCIDevice,
)
