"""The root manager: one hook, ``operation_call``, that core answers and service plugins wrap."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pluggy

from simplestack.hookspecs import services as service_specs
from simplestack.markers import PROJECT_NAME, hookimpl
from simplestack.operations.context import CallContext
from simplestack.plugins.discovery import Service
from simplestack.plugins.errors import PluginFault

OperationCall = Callable[..., Any]


class _Answer:
    """Core's answer to ``operation_call``: the only implementation that is not a wrapper."""

    def __init__(self, perform: Callable[[str, Mapping[str, Any], CallContext], Any]) -> None:
        self._perform = perform

    @hookimpl
    def operation_call(self, operation: str, arguments: Mapping[str, Any], context: CallContext) -> Any:
        return self._perform(operation, arguments, context)


def make_operation_call(
    perform: Callable[[str, Mapping[str, Any], CallContext], Any],
    services: Sequence[Service],
    audit: object | None,
) -> OperationCall:
    """Make the call that every operation goes through.

    :param perform: core's own answer
    :param services: those that passed their checks
    :param audit: the wrapper that must see everything, errors of others included: the outermost
    :raises PluginFault: a service plugin is outside the audit
    """
    manager = pluggy.PluginManager(PROJECT_NAME)
    manager.add_hookspecs(service_specs)
    manager.register(_Answer(perform))
    for service in services:
        manager.register(service.module, service.name)
    if audit is not None:
        manager.register(audit)
        outermost = manager.hook.operation_call.get_hookimpls()[-1]
        if outermost.plugin is not audit:
            raise PluginFault(f"service plugin {outermost.plugin_name!r} has put itself outside the audit")
    manager.check_pending()
    return manager.hook.operation_call
