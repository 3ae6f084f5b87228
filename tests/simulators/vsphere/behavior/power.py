"""The power of VMs, and what tools in their guests do about it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pyVmomi import vim, vmodl

from simulators.vsphere.behavior.hosts import check_host
from simulators.vsphere.behavior.questions import ask_ordered
from simulators.vsphere.calls import Call
from simulators.vsphere.database import Object
from simulators.vsphere.datastore_paths import check_disks, check_lockable
from simulators.vsphere.hardware.cards import check_addresses
from simulators.vsphere.methods import method
from simulators.vsphere.tasks import Running, check_connected

if TYPE_CHECKING:
    from simulators.vsphere.simulator import Simulator

State = vim.VirtualMachine.PowerState


@method(vim.VirtualMachine, "PowerOnVM_Task")
def power_on(call: Call, host: Object | None) -> Any:
    """Start a VM, or resume one that is suspended."""

    def work(running: Running) -> None:
        _need_other(call, State.poweredOn)
        place = host or call.resolve(call.target["runtime.host"])
        check_host(call, place)
        _check_processors(call.target, place)
        ask_ordered(call, running)
        check_addresses(call.target["config"])
        check_disks(call.simulator, call.target)
        check_lockable(call.target)
        running.commit()
        call.target["runtime.host"] = place.ref
        switch(call.simulator, call.target, State.poweredOn)

    return _start(call, work)


@method(vim.VirtualMachine, "PowerOffVM_Task")
def power_off(call: Call) -> Any:
    """Stop a VM at once."""
    return _start(call, lambda running: _leave(call, running, State.poweredOff))


@method(vim.VirtualMachine, "SuspendVM_Task")
def suspend(call: Call) -> Any:
    """Save the state of a VM that runs, and stop it."""
    return _start(call, lambda running: _leave(call, running, State.suspended))


@method(vim.VirtualMachine, "ResetVM_Task")
def reset(call: Call) -> Any:
    """Restart a VM that runs, at once."""
    return _start(call, lambda running: _leave(call, running, State.poweredOn))


@method(vim.VirtualMachine, "ShutdownGuest")
def shut_down(call: Call) -> None:
    """Ask the guest to shut down."""
    _ask_guest(call, State.poweredOff, lambda: switch(call.simulator, call.target, State.poweredOff))


@method(vim.VirtualMachine, "RebootGuest")
def reboot(call: Call) -> None:
    """Ask the guest to reboot."""
    _ask_guest(call, State.poweredOn, lambda: call.simulator.guests.start(call.target))


@method(vim.VirtualMachine, "StandbyGuest")
def stand_by(call: Call) -> None:
    """Ask the guest to prepare for standby, which suspends the VM."""
    _ask_guest(call, State.suspended, lambda: switch(call.simulator, call.target, State.suspended))


def _check_processors(vm: Object, host: Object) -> None:
    """Check that a host has as many logical processors as a VM has.

    :raises NotEnoughLogicalCpus: it has fewer
    """
    wanted, there = vm["config.hardware.numCPU"], host["hardware.cpuInfo.numCpuThreads"]
    if wanted > there:
        raise vim.fault.NotEnoughLogicalCpus(numCpuDest=there, numCpuVm=wanted, host=host.ref)


def _start(call: Call, work: Callable[[Running], None]) -> Any:
    _reject_template(call)
    return call.start(work)


def _reject_template(call: Call) -> None:
    if call.target["config.template"]:
        raise vmodl.fault.NotSupported


def _leave(call: Call, running: Running, wanted: Any) -> None:
    _need_on(call, wanted)
    running.commit()
    switch(call.simulator, call.target, wanted)


def _need_on(call: Call, wanted: Any) -> None:
    state = call.target["runtime.powerState"]
    if state != State.poweredOn:
        raise vim.fault.InvalidPowerState(requestedState=wanted, existingState=state)


def _need_other(call: Call, wanted: Any) -> None:
    state = call.target["runtime.powerState"]
    if state == wanted:
        raise vim.fault.InvalidPowerState(requestedState=wanted, existingState=state)


def _ask_guest(call: Call, wanted: Any, happen: Callable[[], None]) -> None:
    """Let something happen in a guest a while later.

    :raises ToolsUnavailable: its tools do not run
    """
    _reject_template(call)
    check_connected(call.target)
    _need_on(call, wanted)
    busy = call.simulator.tasks.busy_with(call.target)
    if busy is not None:
        raise vim.fault.TaskInProgress(task=busy.ref)
    if call.target["guest.toolsRunningStatus"] != "guestToolsRunning":
        raise vim.fault.ToolsUnavailable
    call.simulator.guests.later(call.target, happen)


def switch(simulator: "Simulator", vm: Object, wanted: Any) -> None:
    """Set the power state, and what follows from it: the guest, and which devices are connected."""
    is_on = wanted == State.poweredOn
    for each in vm["config.hardware.device"]:
        if each.connectable is not None:
            each.connectable.connected = is_on and each.connectable.startConnected
    vm["runtime.powerState"] = wanted
    vm["runtime.suspendTime"] = datetime.now(UTC) if wanted == State.suspended else None
    vm["runtime.cleanPowerOff"] = None if is_on else True
    if is_on:
        simulator.guests.start(vm)
    else:
        vm["runtime.bootTime"] = None
        simulator.guests.stop(vm)
