"""What happens meanwhile: between two calls of an operation, or while a task runs."""

from collections.abc import Callable
from typing import Any

from pyVmomi import vim

from simulators.vsphere.faults import Rule
from support.vsphere import Host


def before_each_call(host: Host, method: str, action: Callable[[], object]) -> None:
    """Let something happen just before each call of a method."""
    perform = host.simulator.perform

    def performed(incoming: Any, *rest: Any) -> Any:
        if incoming.method == method:
            action()
        return perform(incoming, *rest)

    host.simulator.perform = performed  # type: ignore[method-assign, assignment]  # the simulator, on its way to the call


def before_call(host: Host, method: str, action: Callable[[], object], after: int = 0) -> None:
    """Let something happen just before a method is called.

    :param after: how many calls of the method pass first
    """
    perform = host.simulator.perform
    left = [after]

    def performed(incoming: Any, *rest: Any) -> Any:
        if incoming.method == method:
            left[0] -= 1
            if left[0] == -1:
                action()
        return perform(incoming, *rest)

    host.simulator.perform = performed  # type: ignore[method-assign, assignment]  # the simulator, on its way to the call


def hold_in_spite_of_cancellation(host: Host, *methods: str) -> None:
    """Let tasks wait until all faults are removed."""
    for method in methods:
        host.simulator.faults.add(Rule(method=method, effect="hold"))
    host.simulator.faults.add(Rule(method="CancelTask", fault="NotSupported", times=9))


def let_go(host: Host) -> None:
    """Let all tasks end."""
    host.simulator.faults.clear()
    database = host.simulator.database
    with database.lock:
        assert database.changes.wait_for(
            lambda: all(task["info.completeTime"] is not None for task in host.all(vim.Task)), timeout=20
        )
