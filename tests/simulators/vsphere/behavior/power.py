"""The power of VMs."""

from typing import Any

from pyVmomi import vim

from simulators.vsphere.calls import Call
from simulators.vsphere.database import Object
from simulators.vsphere.methods import method
from simulators.vsphere.tasks import Running

State = vim.VirtualMachine.PowerState


@method(vim.VirtualMachine, "PowerOnVM_Task")
def power_on(call: Call, host: Object | None) -> Any:
    """Start a VM."""
    return call.start(lambda running: _set(call.target, running, State.poweredOn))


@method(vim.VirtualMachine, "PowerOffVM_Task")
def power_off(call: Call) -> Any:
    """Stop a VM at once."""
    return call.start(lambda running: _set(call.target, running, State.poweredOff))


def _set(vm: Object, running: Running, wanted: Any) -> None:
    state = vm["runtime.powerState"]
    if state == wanted:
        raise vim.fault.InvalidPowerState(requestedState=wanted, existingState=state)
    running.commit()
    vm["runtime.powerState"] = wanted
