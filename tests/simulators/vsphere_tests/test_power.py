"""The power of VMs in the vSphere simulator, with and without tools."""

from typing import Any

import pytest
from pyVmomi import vim, vmodl

from simulators.vsphere.faults import Rule
from simulators.vsphere.simulator import Simulator
from simulators.vsphere_tests.clients import Client
from simulators.vsphere_tests.waiting import error, result, wait_for, wait_until

RUNNING, NOT_RUNNING = "guestToolsRunning", "guestToolsNotRunning"


@pytest.fixture
def started(client: Client, vm: Any) -> Any:
    """Give a VM that runs, and its tools."""
    result(client, vm.PowerOn())
    wait_until(client, vm, "guest.toolsRunningStatus", RUNNING)
    return vm


def test_a_vm_starts_suspends_resumes_resets_and_stops(client: Client, vm: Any) -> None:
    for call, state in (
        (vm.PowerOn, "poweredOn"),
        (vm.Suspend, "suspended"),
        (vm.PowerOn, "poweredOn"),
        (vm.Reset, "poweredOn"),
        (vm.PowerOff, "poweredOff"),
    ):
        result(client, call())
        assert vm.runtime.powerState == state
        assert (vm.runtime.suspendTime is not None) == (state == "suspended")
        assert (vm.runtime.bootTime is not None) == (state == "poweredOn")


@pytest.mark.parametrize(
    ("before", "rejected"),
    [
        ((), ("PowerOff", "Suspend", "Reset")),
        (("PowerOn",), ("PowerOn",)),
        (("PowerOn", "Suspend"), ("PowerOff", "Suspend", "Reset")),
    ],
)
def test_a_state_that_does_not_allow_it(
    client: Client, vm: Any, before: tuple[str, ...], rejected: tuple[str, ...]
) -> None:
    for name in before:
        result(client, getattr(vm, name)())
    state = vm.runtime.powerState
    for name in rejected:
        fault = error(client, getattr(vm, name)())
        assert isinstance(fault, vim.fault.InvalidPowerState)
        assert fault.existingState == vm.runtime.powerState == state


def test_guests_of_stopped_vms_cannot_be_asked(client: Client, vm: Any) -> None:
    for call in (vm.ShutdownGuest, vm.RebootGuest, vm.StandbyGuest):
        with pytest.raises(vim.fault.InvalidPowerState):
            call()


def test_guests_without_tools_cannot_be_asked(client: Client, vm: Any, guests: Any) -> None:
    guests(vm="vm-0", has_tools=False)
    assert vm.guest.toolsStatus == "toolsNotInstalled"
    result(client, vm.PowerOn())
    for call in (vm.ShutdownGuest, vm.RebootGuest, vm.StandbyGuest):
        with pytest.raises(vim.fault.ToolsUnavailable):
            call()
    assert vm.runtime.powerState == "poweredOn"
    guests(vm="vm-0", has_tools=True)
    vm.ShutdownGuest()
    wait_until(client, vm, "runtime.powerState", "poweredOff")


def test_tools_do_not_run_before_the_guest_has_started(client: Client, vm: Any, guests: Any) -> None:
    guests(is_held=True)
    result(client, vm.PowerOn())
    assert vm.guest.toolsRunningStatus == NOT_RUNNING
    with pytest.raises(vim.fault.ToolsUnavailable):
        vm.ShutdownGuest()
    guests(is_held=False)
    wait_until(client, vm, "guest.toolsRunningStatus", RUNNING)
    assert (vm.guest.hostName, vm.guestHeartbeatStatus) == ("vm-0", "green")
    assert vm.guest.ipAddress == vm.guest.net[0].ipAddress[0]


def test_a_guest_shuts_down_later(client: Client, started: Any, guests: Any) -> None:
    guests(is_held=True)
    started.ShutdownGuest()
    assert started.runtime.powerState == "poweredOn"
    guests(is_held=False)
    wait_until(client, started, "runtime.powerState", "poweredOff")
    assert (started.guest.toolsRunningStatus, started.guest.ipAddress) == (NOT_RUNNING, None)


def test_a_guest_that_is_stopped_meanwhile_does_not_shut_down_later(
    client: Client, started: Any, guests: Any
) -> None:
    guests(is_held=True)
    started.ShutdownGuest()
    result(client, started.PowerOff())
    result(client, started.PowerOn())
    guests(is_held=False)
    wait_until(client, started, "guest.toolsRunningStatus", RUNNING)
    assert started.runtime.powerState == "poweredOn"


def test_a_guest_reboots(client: Client, started: Any, guests: Any) -> None:
    booted = started.runtime.bootTime
    guests(is_held=True)
    started.RebootGuest()
    assert started.runtime.bootTime == booted
    guests(is_held=False)
    wait_for(client, started, "runtime.bootTime", lambda value: value not in (None, booted))
    wait_until(client, started, "guest.toolsRunningStatus", RUNNING)
    assert started.runtime.powerState == "poweredOn"


def test_a_guest_that_stands_by_is_suspended(client: Client, started: Any) -> None:
    started.StandbyGuest()
    wait_until(client, started, "runtime.powerState", "suspended")


def test_a_busy_vm_cannot_be_asked(client: Client, started: Any, simulator: Simulator) -> None:
    simulator.faults.add(Rule(method="SuspendVM_Task", effect="hold", progress=40))
    task = started.Suspend()
    wait_until(client, task, "info.progress", 40)
    with pytest.raises(vim.fault.TaskInProgress):
        started.ShutdownGuest()
    simulator.faults.clear()
    result(client, task)


def test_devices_are_connected_while_the_vm_runs(client: Client, vm: Any) -> None:
    def card() -> Any:
        return next(each for each in vm.config.hardware.device if each.key == 4_000)

    assert not card().connectable.connected
    result(client, vm.PowerOn())
    assert card().connectable.connected
    result(client, vm.PowerOff())
    assert not card().connectable.connected


def test_a_template_cannot_be_started(client: Client) -> None:
    with pytest.raises(vmodl.fault.NotSupported):
        client.vm("debian-12").PowerOn()


@pytest.mark.parametrize("options", [{"vm": "nothing", "has_tools": True}, {"more": 1}, {"has_tools": True}])
def test_guests_that_are_not_there_cannot_be_set(fetch: Any, options: Any) -> None:
    assert fetch("POST", "/simulator/guests", options)[0] == 400


def test_a_host_needs_as_many_processors_as_a_vm_has(client: Client, vm: Any) -> None:
    threads = vm.runtime.host.hardware.cpuInfo.numCpuThreads
    result(client, vm.Reconfigure(vim.vm.ConfigSpec(numCPUs=threads + 1)))
    fault = error(client, vm.PowerOn())
    assert isinstance(fault, vim.fault.NotEnoughLogicalCpus)
    assert (fault.numCpuDest, fault.numCpuVm) == (threads, threads + 1)
    result(client, vm.Reconfigure(vim.vm.ConfigSpec(numCPUs=threads)))
    result(client, vm.PowerOn())
