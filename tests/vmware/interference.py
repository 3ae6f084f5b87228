"""What others do meanwhile: between two calls of an operation."""

from collections.abc import Callable
from typing import Any

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
