"""One plugin made ready for calls: its own manager, and tables of what it implements."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import pluggy
from msgspec import Struct

from simplestack.errors import OperationNotSupported
from simplestack.hookspecs import SPEC_MODULES
from simplestack.markers import PROJECT_NAME
from simplestack.operations.table import BODIES, OPERATIONS, RESULTS
from simplestack.plugins.containment import PluginCode
from simplestack.plugins.description import HypervisorPlugin
from simplestack.plugins.diagnosis import check_modules, implementations, is_wrapper
from simplestack.plugins.errors import PluginFault
from simplestack.plugins.optional_fields import (
    UnsupportedFields,
    function_faults,
    supported_fields,
    unsupported_fields,
)
from simplestack.plugins.plugin_types import body_type, entity_type


@dataclass(frozen=True, slots=True)
class Hypervisor:
    """A hypervisor plugin that passed all checks. Nothing about it changes any more."""

    plugin: HypervisorPlugin[Any]
    #: Name and version of the distribution that brought it.
    distribution: str
    version: str
    #: The import package of its code.
    package: str
    #: The manager that holds the plugin's modules and nothing else.
    manager: pluggy.PluginManager
    #: The manager's callers of the hooks that the plugin implements. For the others clients get 501.
    hooks: Mapping[str, pluggy.HookCaller]
    #: The struct that a hook's body is validated with.
    bodies: dict[str, type[Struct]]
    #: The entity that a hook returns, or a list of, by hook.
    entities: dict[str, type[Struct]]
    #: The fields that ``?fields=`` may name, by hook.
    fields: dict[str, frozenset[str]]
    #: The optional fields of requests that the plugin supports, by hook.
    optional_fields: dict[str, frozenset[str]]
    #: Those that it does not support, by hook; a hook that has none is left out.
    unsupported_fields: dict[str, UnsupportedFields]

    @property
    def name(self) -> str:
        """The plugin's name, as in the URL."""
        return self.plugin.name

    @property
    def operations(self) -> tuple[str, ...]:
        """The operations that it implements, wholly or in part, in the order of the REST contract."""
        return tuple(operation.name for operation in OPERATIONS if any(map(self.implements, operation.hooks)))

    def implements(self, hook: str) -> bool:
        """Tell whether the plugin implements a hook."""
        return hook in self.hooks

    def caller(self, hook: str) -> pluggy.HookCaller:
        """Return what calls a hook with all of its arguments.

        :raises OperationNotSupported: the plugin does not implement it
        """
        found = self.hooks.get(hook)
        if found is None:
            raise OperationNotSupported(
                f"{self.name} does not implement {hook} ({self.distribution} {self.version})",
                {"operation": hook, "hypervisor": self.name},
            )
        return found

    def check_fields(self, hook: str, arguments: Mapping[str, Any]) -> None:
        """Check that the plugin supports all fields that a client has given.

        :param arguments: the hook's arguments
        :raises OperationNotSupported: it does not; the message names the field
        """
        unsupported = self.unsupported_fields.get(hook)
        if unsupported is None:
            return
        value = arguments[unsupported.argument]
        if value is None:
            return
        for field, default in unsupported.defaults.items():
            if getattr(value, field) != default:
                raise OperationNotSupported(
                    f"{self.name} does not support `{field}` of {hook} ({self.distribution} {self.version}): "
                    "omit it",
                    {"operation": hook, "hypervisor": self.name, "field": field},
                )

    def code(self, limit_seconds: float) -> PluginCode:
        """Return what runs the plugin's code."""
        return PluginCode(self.name, self.distribution, self.version, self.package, limit_seconds)


def make_hypervisor(plugin: HypervisorPlugin[Any], distribution: str, version: str) -> Hypervisor:
    """Check a plugin and register its modules in a manager of their own.

    A manager that holds one plugin is an allow-list by construction: no other plugin can respond, wrap or be
    fallen through to. The plugin's own wrappers are in it.

    :raises PluginFault: it does not fit the hookspecs
    """
    check_modules(plugin.hooks)
    manager = pluggy.PluginManager(PROJECT_NAME)
    for module in SPEC_MODULES:
        manager.add_hookspecs(module)
    functions: dict[str, FunctionType] = {}
    try:
        for module in plugin.hooks:
            manager.register(module)
            functions.update((hook, own) for hook, own in implementations(module) if not is_wrapper(own))
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise PluginFault(str(error)) from error
    bodies, entities = _types(functions)
    faults = list(function_faults(plugin.optional_fields, functions))
    if faults:
        raise PluginFault("; ".join(faults))
    supported = supported_fields(plugin.optional_fields, bodies)
    return Hypervisor(
        plugin=plugin,
        distribution=distribution,
        version=version,
        package=plugin.hooks[0].__name__.partition(".")[0],
        manager=manager,
        hooks={hook: getattr(manager.hook, hook) for hook in functions},
        bodies=bodies,
        entities=entities,
        fields={hook: frozenset(entity.__struct_fields__) for hook, entity in entities.items()},
        optional_fields=supported,
        unsupported_fields=unsupported_fields(supported),
    )


def _types(functions: Mapping[str, FunctionType]) -> tuple[dict[str, type[Struct]], dict[str, type[Struct]]]:
    """Return the bodies that functions take, and the entities that they return, by hook.

    :raises PluginFault: with every annotation that is wrong
    """
    bodies: dict[str, type[Struct]] = {}
    entities: dict[str, type[Struct]] = {}
    faults: list[str] = []
    for hook, function in functions.items():
        try:
            if hook in BODIES:
                bodies[hook] = body_type(function, *BODIES[hook])
            entity = entity_type(function, RESULTS[hook])
            if entity is not None:
                entities[hook] = entity
        except PluginFault as fault:
            faults.append(f"{function.__module__}.{function.__name__}: {fault}")
    if faults:
        raise PluginFault("; ".join(faults))
    return bodies, entities
