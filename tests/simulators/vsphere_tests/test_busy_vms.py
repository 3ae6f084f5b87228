"""VMs of the vSphere simulator that are busy with a task."""

from collections.abc import Callable
from typing import Any

import pytest
from pyVmomi import vim, vmodl

from simulators.vsphere.faults import Rule
from simulators.vsphere.schema import find_method
from simulators.vsphere.simulator import Simulator
from simulators.vsphere_tests.clients import Client
from simulators.vsphere_tests.waiting import error, result, wait_until


def _clone(client: Client, vm: Any, name: str = "a") -> Any:
    place = vim.vm.RelocateSpec(pool=vm.resourcePool)
    return vm.Clone(client.content.rootFolder.childEntity[0].vmFolder, name, vim.vm.CloneSpec(location=place))


TASKS: dict[str, Callable[[Client, Any], Any]] = {
    "PowerOnVM_Task": lambda _client, vm: vm.PowerOn(),
    "PowerOffVM_Task": lambda _client, vm: vm.PowerOff(),
    "ResetVM_Task": lambda _client, vm: vm.Reset(),
    "SuspendVM_Task": lambda _client, vm: vm.Suspend(),
    "ReconfigVM_Task": lambda _client, vm: vm.Reconfigure(vim.vm.ConfigSpec(annotation="a")),
    "Destroy_Task": lambda _client, vm: vm.Destroy(),
    "CreateSnapshot_Task": lambda _client, vm: vm.CreateSnapshot("a", None, False, False),
    "RemoveAllSnapshots_Task": lambda _client, vm: vm.RemoveAllSnapshots(),
    "CloneVM_Task": _clone,
}
CALLS: dict[str, Callable[[Any], Any]] = {
    "UnregisterVM": lambda vm: vm.Unregister(),
    "ShutdownGuest": lambda vm: vm.ShutdownGuest(),
    "RebootGuest": lambda vm: vm.RebootGuest(),
}


@pytest.fixture
def busy(client: Client, vm: Any, simulator: Simulator) -> Any:
    """Give a task of a VM that runs, which does not end by itself."""
    result(client, vm.PowerOn())
    wait_until(client, vm, "guest.toolsRunningStatus", "guestToolsRunning")
    simulator.faults.add(Rule(method="ReconfigVM_Task", effect="hold", progress=10))
    task = vm.Reconfigure(vim.vm.ConfigSpec(annotation="held"))
    wait_until(client, task, "info.progress", 10)
    return task


@pytest.mark.parametrize("name", TASKS)
def test_a_task_fails_while_another_one_runs(
    client: Client, vm: Any, busy: Any, name: str, simulator: Simulator
) -> None:
    fault = error(client, TASKS[name](client, vm))
    assert isinstance(fault, vim.fault.TaskInProgress)
    assert fault.task._moId == busy._moId
    assert vm.runtime.powerState == "poweredOn"
    simulator.faults.clear()
    result(client, busy)
    assert vm.config.annotation == "held"


@pytest.mark.parametrize("name", CALLS)
def test_a_call_fails_while_a_task_runs(vm: Any, busy: Any, name: str) -> None:
    with pytest.raises(vim.fault.TaskInProgress):
        CALLS[name](vm)


def test_a_vm_is_cloned_twice_at_once_but_not_changed_meanwhile(
    client: Client, vm: Any, simulator: Simulator
) -> None:
    for _ in range(2):
        simulator.faults.add(Rule(method="CloneVM_Task", effect="hold", progress=10))
    tasks = [_clone(client, vm, name) for name in ("a", "b")]
    for task in tasks:
        wait_until(client, task, "info.progress", 10)
    for change in (vm.PowerOn(), vm.Destroy()):
        assert isinstance(error(client, change), vim.fault.TaskInProgress)
    simulator.faults.clear()
    assert [result(client, task).name for task in tasks] == ["a", "b"]
    result(client, vm.PowerOn())


def test_other_vms_are_not_busy(client: Client, busy: Any) -> None:
    result(client, client.vm("vm-1").PowerOn())


def test_a_task_of_a_vm_that_an_earlier_task_has_removed_fails(
    client: Client, vm: Any, simulator: Simulator
) -> None:
    method = find_method("Destroy_Task")
    assert method is not None
    with simulator.database.lock:
        removed = simulator.database.get(vim.VirtualMachine(vm._moId))
        simulator.database.remove(removed)
        task = simulator.tasks.start(method, removed, None, lambda _running: None)
    assert isinstance(error(client, vim.Task(task.id, client.stub)), vmodl.fault.ManagedObjectNotFound)
