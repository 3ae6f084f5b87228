"""The root manager: one hook, ``operation_call``, that core implements and service plugins wrap."""

from collections.abc import Callable, Generator, Sequence
from typing import Any, Protocol

import pluggy

from simplestack.hookspecs import services as service_specs
from simplestack.markers import PROJECT_NAME, hookimpl
from simplestack.plugins.diagnosis import IMPL_MARK
from simplestack.plugins.errors import PluginFault
from simplestack.plugins.service_loading import Service


class Run(Protocol):
    """The run of the operation that service plugins wrap."""

    #: The result of the operation, or of the last service plugin, if it is immutable.
    fixed_result: Any

    def returned(self, source: str, result: Any) -> Any:
        """Check the result of a service plugin, and return it.

        :param source: which plugin it is
        :raises Exception: it does not have the operation's type
        """
        ...

    def raised(self) -> None:
        """Close a result that a service plugin has not returned."""
        ...


def _checkpoint(service: Service, current_run: Callable[[], Run], *, trylast: bool) -> object:
    """Return the wrapper right outside of a service plugin, which knows whose result it gets."""
    source = f"service plugin {service.name!r}"

    class Checkpoint:
        """Checks one service plugin's results."""

        @hookimpl(wrapper=True, trylast=trylast)
        def operation_call(self) -> Generator[None, Any, Any]:
            run = current_run()  # here: this generator may be left, to be collected during another call
            try:
                result = yield
            except BaseException:
                run.raised()
                raise
            return result if result is run.fixed_result else run.returned(source, result)

    return Checkpoint()


def make_root_manager(
    implementation: object,
    services: Sequence[Service],
    audit: object | None,
    current_run: Callable[[], Run],
) -> pluggy.PluginManager:
    """Make the manager whose ``hook.operation_call`` every operation goes through.

    :param implementation: has core's ``operation_call``, the only one that is not a wrapper
    :param services: those that passed their checks
    :param audit: the wrapper that must see everything, errors of others included: the outermost
    :param current_run: returns the run of this thread, which checks what each service plugin lets out
    :raises PluginFault: a service plugin is outside the audit
    """
    manager = pluggy.PluginManager(PROJECT_NAME)
    manager.add_hookspecs(service_specs)
    manager.register(implementation)
    for service in services:
        if not service.wraps_operations:
            continue
        plugins = [(service.hooks, service.name), (_checkpoint(service, current_run, trylast=False), None)]
        if _is_innermost(service):
            # Of those that are called last, the one that is registered last is the innermost.
            plugins = [(_checkpoint(service, current_run, trylast=True), None), plugins[0]]
        for plugin, name in plugins:
            manager.register(plugin, name)
    if audit is not None:
        manager.register(audit)
        outermost = manager.hook.operation_call.get_hookimpls()[-1]
        if outermost.plugin is not audit:
            raise PluginFault(f"service plugin {outermost.plugin_name!r} has put itself outside the audit")
    manager.check_pending()
    return manager


def _is_innermost(service: Service) -> bool:
    trylast: bool = getattr(service.hooks.operation_call, IMPL_MARK)["trylast"]
    return trylast
