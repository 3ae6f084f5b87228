"""Tasks of the vSphere simulator."""

from typing import Any

import msgspec
import pytest
from pyVmomi import vim, vmodl

from simulators.vsphere.faults import Rule
from simulators.vsphere.schema import find_method
from simulators.vsphere.simulator import Simulator
from simulators.vsphere.tasks import Running
from simulators.vsphere_tests.clients import Client, PropertyCollector

State = vim.TaskInfo.State


def ended(client: Client, task: Any) -> Any:
    """Return the information of a task once it has ended."""
    collector = client.content.propertyCollector.CreatePropertyCollector()
    collector.CreateFilter(client.spec(vim.Task, "info.state", obj=task), False)
    version, state = "", State.queued
    while state not in (State.success, State.error):
        updates = collector.WaitForUpdatesEx(version, PropertyCollector.WaitOptions(maxWaitSeconds=20))
        assert updates is not None
        version = updates.version
        state = updates.filterSet[0].objectSet[0].changeSet[0].val
    collector.Destroy()
    return task.info


def message(fault: Any) -> str:
    """Return a fault's localized message."""
    found: str = fault.msg
    return found


def until(client: Client, task: Any, path: str, wanted: Any) -> None:
    """Wait until a property of a task has a value."""
    collector = client.content.propertyCollector.CreatePropertyCollector()
    collector.CreateFilter(client.spec(vim.Task, path, obj=task), False)
    version, value = "", None
    while value != wanted:
        updates = collector.WaitForUpdatesEx(version, PropertyCollector.WaitOptions(maxWaitSeconds=20))
        version = updates.version
        value = next((each.val for each in updates.filterSet[0].objectSet[0].changeSet), None)
    collector.Destroy()


@pytest.fixture
def held(simulator: Simulator) -> Any:
    """Order that the next task of PowerOnVM_Task is held."""
    simulator.faults.add(Rule(method="PowerOnVM_Task", effect="hold", progress=40))


def test_a_task_succeeds(client: Client, vm: Any) -> None:
    task = vm.PowerOn()
    info = ended(client, task)
    assert (info.state, info.error, info.cancelled, info.cancelable) == (State.success, None, False, False)
    assert (info.descriptionId, info.entityName) == ("VirtualMachine.powerOn", "vm-0")
    assert (info.entity._moId, info.task._moId) == (vm._moId, task._moId)
    assert info.queueTime <= info.startTime <= info.completeTime
    assert info.reason.userName == "administrator@vsphere.local"
    assert vm.runtime.powerState == vm.summary.runtime.powerState == "poweredOn"
    assert [each._moId for each in vm.recentTask] == [task._moId]
    assert [each._moId for each in client.content.taskManager.recentTask] == [task._moId]


def test_a_task_fails_with_a_fault_and_its_message(client: Client, vm: Any) -> None:
    info = ended(client, vm.PowerOff())
    assert info.state == State.error
    assert isinstance(info.error, vim.fault.InvalidPowerState)
    assert info.error.existingState == "poweredOff"
    assert message(info.error) == "The attempted operation cannot be performed in the current state."


def test_a_busy_vm_is_told_in_the_task(client: Client, vm: Any, held: Any, simulator: Simulator) -> None:
    first = vm.PowerOn()
    until(client, first, "info.progress", 40)
    info = ended(client, vm.PowerOff())
    assert isinstance(info.error, vim.fault.TaskInProgress)
    assert info.error.task._moId == first._moId
    simulator.faults.clear()
    assert ended(client, first).state == State.success
    assert ended(client, vm.PowerOff()).state == State.success


def test_a_task_that_is_held_can_be_cancelled(client: Client, vm: Any, held: Any) -> None:
    task = vm.PowerOn()
    until(client, task, "info.progress", 40)
    assert (task.info.state, task.info.cancelable) == (State.running, True)
    task.Cancel()
    info = ended(client, task)
    assert (info.state, info.cancelled) == (State.error, True)
    assert isinstance(info.error, vmodl.fault.RequestCanceled)
    assert vm.runtime.powerState == "poweredOff"
    with pytest.raises(vim.fault.InvalidState):
        task.Cancel()


def test_a_task_that_is_cancelled_has_no_effect(client: Client, vm: Any, simulator: Simulator) -> None:
    simulator.faults.add(Rule(method="Rename_Task", effect="hold", progress=40))
    task = vm.Rename("other")
    until(client, task, "info.progress", 40)
    task.Cancel()
    assert isinstance(ended(client, task).error, vmodl.fault.RequestCanceled)
    assert vm.name == "vm-0"


def test_a_task_that_has_taken_effect_cannot_be_cancelled(
    client: Client, vm: Any, simulator: Simulator
) -> None:
    method = find_method("PowerOnVM_Task")
    assert method is not None
    stored = simulator.database.get(vim.VirtualMachine(vm._moId))

    def work(running: Running) -> None:
        running.commit()
        running.step(60)
        running.wait_for(lambda: stored["config.annotation"] == "go on")

    with simulator.database.lock:
        task = vim.Task(simulator.tasks.start(method, stored, None, work).id, client.stub)
    until(client, task, "info.progress", 60)
    assert task.info.cancelable is False
    with pytest.raises(vmodl.fault.NotSupported):
        task.Cancel()
    stored["config.annotation"] = "go on"
    assert ended(client, task).state == State.success


def test_a_name_is_changed_everywhere(client: Client, vm: Any) -> None:
    ended(client, vm.Rename("a/b"))
    assert (vm.name, vm.config.name, vm.summary.config.name) == ("a%2fb",) * 3
    assert isinstance(ended(client, vm.Rename("vm-2")).error, vim.fault.DuplicateName)
    assert ended(client, vm.Rename("a/b")).state == State.success


def test_only_its_owner_may_cancel_a_task(connect: Any, client: Client, vm: Any, held: Any) -> None:
    task = vm.PowerOn()
    reader = connect("reader@vsphere.local")
    with pytest.raises(vim.fault.NoPermission):
        vim.Task(task._moId, reader.stub).Cancel()


def test_a_task_fails_after_it_was_accepted(client: Client, vm: Any, simulator: Simulator) -> None:
    properties = {"file": "a", "datastore": "b"}
    what = {"fault": "NoDiskSpace", "properties": properties, "text": "No space"}
    rule = {"method": "PowerOnVM_Task", "effect": "fail task", **what}
    simulator.faults.order(msgspec.json.encode(rule))
    info = ended(client, vm.PowerOn())
    error: Any = info.error
    assert isinstance(error, vim.fault.NoDiskSpace)
    assert (error.file, message(error)) == ("a", "No space")
    assert vm.runtime.powerState == "poweredOff"


@pytest.mark.parametrize("fault", [vim.fault.NotFound(), ZeroDivisionError()])
def test_a_task_that_fails_with_what_its_method_does_not_declare_is_a_defect(
    client: Client, vm: Any, simulator: Simulator, fault: Exception
) -> None:
    def work(_running: Running) -> None:
        raise fault

    method = find_method("PowerOnVM_Task")
    assert method is not None
    with simulator.database.lock:
        stored = simulator.database.get(vim.VirtualMachine(vm._moId))
        task = simulator.tasks.start(method, stored, None, work)
    assert ended(client, vim.Task(task.id, client.stub)).state == State.error
    (defect,) = simulator.defects
    assert type(fault).__name__ in defect
    simulator.defects.clear()


@pytest.mark.parametrize("is_answered", [True, False])
def test_a_task_may_wait_for_what_happens_elsewhere(
    client: Client, vm: Any, simulator: Simulator, is_answered: bool
) -> None:
    method = find_method("PowerOnVM_Task")
    assert method is not None
    stored = simulator.database.get(vim.VirtualMachine(vm._moId))

    def work(running: Running) -> None:
        running.step(10)
        running.wait_for(lambda: stored["config.annotation"] == "answered")

    with simulator.database.lock:
        task = vim.Task(simulator.tasks.start(method, stored, None, work).id, client.stub)
    until(client, task, "info.progress", 10)
    if is_answered:
        stored["config.annotation"] = "answered"
    else:
        task.Cancel()
    assert ended(client, task).state == (State.success if is_answered else State.error)


def test_the_oldest_tasks_that_have_ended_are_forgotten(
    client: Client, vm: Any, simulator: Simulator
) -> None:
    simulator.tasks.max_ended = 2
    tasks = [vm.PowerOff()]
    for _ in range(2):
        ended(client, tasks[-1])
        tasks.append(vm.PowerOff())
    ended(client, tasks[-1])
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        ended(client, tasks[0])
