"""What is wrong with a service plugin: its description, and the hooks of the object that it makes."""

import dataclasses
import inspect
import re
from collections.abc import Iterator
from functools import cached_property
from types import FunctionType, MethodType, ModuleType, SimpleNamespace
from typing import Any

import pluggy

from simplestack.config.settings import ServiceSettings
from simplestack.hookspecs import services
from simplestack.markers import PROJECT_NAME
from simplestack.plugins.attribute_checks import function_faults, switch_faults, title_faults
from simplestack.plugins.diagnosis import IMPL_MARK, parameter_faults
from simplestack.plugins.errors import PluginFault
from simplestack.plugins.service_description import ServicePlugin
from simplestack.plugins.settings_checks import settings_faults
from simplestack.plugins.wording import shown
from simplestack.suggestions import did_you_mean

_NAME = re.compile(r"\A[a-z][a-z0-9_-]{0,62}\Z")
_WRAPPED = services.operation_call.__name__
_ROUTES = services.service_routes.__name__
_PARAMETERS = {
    spec.__name__: tuple(inspect.signature(spec).parameters)
    for spec in (services.operation_call, services.service_routes)
}


def check_service_description(plugin: Any, place: str, name: str) -> ServicePlugin[Any]:
    """Return a description that core can use: a copy, since a subclass may compute its attributes.

    :param plugin: what the entry point names
    :param place: where it is: ``simplestack_example:plugin``
    :param name: the entry point's name
    :raises PluginFault: with everything that is wrong
    """
    if not isinstance(plugin, ServicePlugin):
        advice = ""
        if isinstance(plugin, ModuleType):
            advice = (
                f": write plugin = ServicePlugin(name={name!r}, title=..., make=...) in it, where "
                "make(settings) returns the object that has the hooks, and change the entry point to "
                f"'{plugin.__name__}:plugin'"
            )
        raise PluginFault(f"{place} is {shown(plugin)}; expected a simplestack.ServicePlugin{advice}")
    found = {field.name: getattr(plugin, field.name) for field in dataclasses.fields(ServicePlugin)}
    faults = [
        *_name_faults(found["name"], name),
        *title_faults(found["title"]),
        *function_faults("make", found["make"], ("settings",)),
        *function_faults("warnings", found["warnings"], ("settings",)),
        *settings_faults(found["settings"], ServiceSettings),
        *switch_faults("opt_in", found["opt_in"]),
    ]
    if faults:
        raise PluginFault("; ".join(faults))
    return ServicePlugin(**found)


def _name_faults(name: Any, expected: str) -> Iterator[str]:
    if name != expected:
        yield f"name is {shown(name)}; expected {expected!r}, the name of its entry point"
    elif not _NAME.match(name):
        yield (
            f"{name!r} cannot be a service plugin's name; expected up to 63 lower-case letters, digits, '_' "
            "and '-', a letter first"
        )


def checked_hooks(made: Any) -> object:
    """Return an object that has only the hooks of a service plugin. They match the hookspecs.

    :param made: what ``make`` returned
    :raises PluginFault: with everything that is wrong
    """
    if isinstance(made, type):
        raise PluginFault(f"make(settings) returned {shown(made)}; expected an object of it")
    hooks = SimpleNamespace(**dict(_implementations(made)))
    faults = list(_hook_faults(made))
    if not faults:
        try:
            manager = pluggy.PluginManager(PROJECT_NAME)
            manager.add_hookspecs(services)
            manager.register(hooks)
            manager.check_pending()
        except pluggy.PluginValidationError as error:
            faults.append(str(error))
    if faults:
        raise PluginFault("; ".join(faults))
    return hooks


def _hook_faults(made: object) -> Iterator[str]:
    for name, value in _marked(made):
        if isinstance(value, staticmethod | classmethod):
            yield f"{name}: @hookimpl is above @{type(value).__name__}; write it below"
        elif not isinstance(value, FunctionType | MethodType):
            yield f"{name}: is marked with @hookimpl, but is {shown(value)}; expected a function or a method"
    owners: dict[str, str] = {}
    for hook, function in _implementations(made):
        name = function.__name__
        if hook in owners:
            yield f"{owners[hook]} and {name} both implement {hook}; remove one"
        owners[hook] = name
        yield from (f"{name}: {fault}" for fault in _function_faults(hook, function))
    if not owners:
        kind = "function" if isinstance(made, ModuleType) else "method"
        yield (
            f"make(settings) returned {shown(made)}, which has no hooks; expected a {kind} {_WRAPPED} marked "
            f"with @hookimpl(wrapper=True), or {_ROUTES} marked with @hookimpl"
        )


def _function_faults(hook: str, function: FunctionType | MethodType) -> Iterator[str]:
    mark = getattr(function, IMPL_MARK)
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        yield "is a coroutine function; hooks are called synchronously"
    elif hook == _WRAPPED:
        yield from _wrapper_faults(function, mark)
    elif hook == _ROUTES:
        if mark["wrapper"] or mark["hookwrapper"]:
            yield "is a wrapper; mark it with @hookimpl alone"
        elif inspect.isgeneratorfunction(function):
            yield "is a generator function; core calls it once: use return"
    else:
        hint = did_you_mean(hook, _PARAMETERS) or f"; a service plugin has {' and '.join(_PARAMETERS)}"
        yield f"unknown hook {hook!r}{hint}"
        return
    yield from parameter_faults(function, _PARAMETERS[hook])


def _wrapper_faults(function: FunctionType | MethodType, mark: dict[str, Any]) -> Iterator[str]:
    if not mark["wrapper"]:
        yield "must be marked with @hookimpl(wrapper=True)"
    if mark["tryfirst"]:
        yield "must not be marked tryfirst: the audit is outermost"
    if not inspect.isgeneratorfunction(function):
        yield "has no yield; expected a generator function, which ends with `return (yield)`"


def _implementations(made: object) -> Iterator[tuple[str, FunctionType | MethodType]]:
    """Yield the marked functions of an object by the hook they implement."""
    for name, value in _marked(made):
        if isinstance(value, FunctionType | MethodType):
            yield getattr(value, IMPL_MARK)["specname"] or name, value


def _marked(made: object) -> Iterator[tuple[str, Any]]:
    """Yield everything in an object that is marked with ``@hookimpl``, by name.

    Properties are not evaluated: they may connect to something, which workers must not share.
    """
    for name in dir(made):
        static = inspect.getattr_static(made, name, None)
        if isinstance(static, property | cached_property):
            continue
        for value in (getattr(made, name), static):
            if isinstance(getattr(value, IMPL_MARK, None), dict):
                yield name, value
                break
