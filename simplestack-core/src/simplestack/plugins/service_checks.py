"""What is wrong with a service plugin: it wraps ``operation_call``, and does nothing else."""

import inspect
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

import pluggy

from simplestack.hookspecs import services
from simplestack.markers import PROJECT_NAME
from simplestack.plugins.diagnosis import IMPL_MARK, implementations, misplaced_marks, parameter_faults
from simplestack.plugins.errors import PluginFault
from simplestack.plugins.wording import shown
from simplestack.suggestions import did_you_mean

_HOOK = services.operation_call.__name__
_PARAMETERS = tuple(inspect.signature(services.operation_call).parameters)


def check_service(found: Any, place: str) -> ModuleType:
    """Return a service plugin's module, which fits the hookspec.

    :param found: what the entry point names
    :param place: where it is: ``simplestack_example``
    :raises PluginFault: with everything that does not fit
    """
    if not isinstance(found, ModuleType):
        raise PluginFault(f"{place} is {shown(found)}; expected a module with a wrapper of {_HOOK}")
    faults = list(_module_faults(found))
    if not faults:
        try:
            manager = pluggy.PluginManager(PROJECT_NAME)
            manager.add_hookspecs(services)
            manager.register(found)
            manager.check_pending()
        except pluggy.PluginValidationError as error:
            faults.append(str(error))
    if faults:
        raise PluginFault("; ".join(faults))
    return found


def _module_faults(module: ModuleType) -> Iterator[str]:
    yield from misplaced_marks(module)
    wrappers: list[FunctionType] = []
    for hook, function in implementations(module):
        if hook == _HOOK:
            wrappers.append(function)
        else:
            hint = did_you_mean(hook, [_HOOK]) or f"; a service plugin has {_HOOK!r} alone"
            yield f"{function.__name__}: unknown hook {hook!r}{hint}"
    if len(wrappers) > 1:
        names = " and ".join(function.__name__ for function in wrappers)
        yield f"{names} all implement {_HOOK}; remove all but one"
    elif not wrappers:
        yield f"it has no function named {_HOOK} that is marked with @hookimpl(wrapper=True)"
    for function in wrappers:
        yield from (f"{function.__name__}: {fault}" for fault in _wrapper_faults(function))


def _wrapper_faults(function: FunctionType) -> Iterator[str]:
    mark = getattr(function, IMPL_MARK)
    if not mark["wrapper"]:
        yield "must be marked with @hookimpl(wrapper=True)"
    if mark["tryfirst"]:
        yield "must not be marked tryfirst: the audit is outermost"
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        yield "is a coroutine function; hooks are called synchronously"
    elif not inspect.isgeneratorfunction(function):
        yield "has no yield; expected a generator function, which ends with `return (yield)`"
    yield from parameter_faults(function, _PARAMETERS)
