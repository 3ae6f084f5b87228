"""Wait for what the simulator does later than a call."""

from collections.abc import Callable
from typing import Any

from pyVmomi import vim

from simulators.vsphere_tests.clients import Client, PropertyCollector

_ENDED = (vim.TaskInfo.State.success, vim.TaskInfo.State.error)


def wait_until(client: Client, subject: Any, path: str, *wanted: Any) -> None:
    """Wait until a property of an object has one of some values."""
    wait_for(client, subject, path, lambda value: value in wanted)


def wait_for(client: Client, subject: Any, path: str, is_wanted: Callable[[Any], bool]) -> None:
    """Wait until a property of an object has a value that is wanted."""
    collector = client.content.propertyCollector.CreatePropertyCollector()
    collector.CreateFilter(client.spec(type(subject), path, obj=subject), False)
    version, value = "", None
    while not is_wanted(value):
        updates = collector.WaitForUpdatesEx(version, PropertyCollector.WaitOptions(maxWaitSeconds=20))
        assert updates is not None, f"{path} is {value}"
        version = updates.version
        changes = updates.filterSet[0].objectSet[0].changeSet
        value = next((each.val for each in changes if each.name == path), None)
    collector.Destroy()


def result(client: Client, task: Any) -> Any:
    """Return the result of a task that succeeds."""
    wait_until(client, task, "info.state", *_ENDED)
    info = task.info
    assert info.error is None, info.error
    return info.result


def error(client: Client, task: Any) -> Any:
    """Return the fault of a task that fails."""
    wait_until(client, task, "info.state", *_ENDED)
    found = task.info.error
    assert found is not None, "the task has succeeded"
    return found
