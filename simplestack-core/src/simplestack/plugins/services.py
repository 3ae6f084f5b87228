"""The root manager: one hook, ``operation_call``, that core answers and service plugins wrap."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pluggy

from simplestack.hookspecs import services as service_specs
from simplestack.markers import PROJECT_NAME, hookimpl
from simplestack.operations.context import CallContext
from simplestack.plugins.diagnosis import PluginFault
from simplestack.plugins.discovery import LoadFailure, Service

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
) -> tuple[OperationCall, list[LoadFailure]]:
    """Make the call that every operation goes through.

    :param perform: core's own answer
    :param audit: the wrapper that must see everything, refusals by others included: the outermost
    :returns: the call, and the services that could not be used
    """
    manager = pluggy.PluginManager(PROJECT_NAME)
    manager.add_hookspecs(service_specs)
    manager.register(_Answer(perform))
    failures: list[LoadFailure] = []
    for service in services:
        try:
            _register(manager, service)
        except (PluginFault, pluggy.PluginValidationError) as error:
            failures.append(LoadFailure(service.name, service.distribution, service.version, str(error)))
    if audit is not None:
        manager.register(audit)
        outermost = manager.hook.operation_call.get_hookimpls()[-1]
        if outermost.plugin is not audit:
            raise PluginFault(f"service plugin {outermost.plugin_name!r} has put itself outside the audit")
    return manager.hook.operation_call, failures


def _register(manager: pluggy.PluginManager, service: Service) -> None:
    manager.register(service.module, service.name)
    try:
        manager.check_pending()
        _check_wrapper(
            [impl for impl in manager.hook.operation_call.get_hookimpls() if impl.plugin is service.module]
        )
    except BaseException:
        manager.unregister(service.module)
        raise


def _check_wrapper(implementations: list[pluggy.HookImpl]) -> None:
    if not implementations:
        raise PluginFault("it has no @hookimpl(wrapper=True) function named operation_call")
    if any(not implementation.wrapper for implementation in implementations):
        raise PluginFault("its operation_call must be marked with @hookimpl(wrapper=True)")
    if any(implementation.tryfirst for implementation in implementations):
        raise PluginFault("its operation_call must not be marked tryfirst: the audit is outermost")
