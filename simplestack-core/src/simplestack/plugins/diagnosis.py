"""What is wrong with a plugin's hook modules, in words that its author can act on.

pluggy finds the same faults, but reports the first only, by the object's repr and without a suggestion.
"""

import inspect
from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType
from typing import Any

from simplestack.hookspecs import SPEC_PARAMETERS
from simplestack.markers import PROJECT_NAME
from simplestack.plugins.errors import PluginFault
from simplestack.plugins.wording import shown
from simplestack.suggestions import did_you_mean

#: The attribute that ``@hookimpl`` sets.
IMPL_MARK = f"{PROJECT_NAME}_impl"


def implementations(module: object) -> Iterator[tuple[str, FunctionType]]:
    """Yield the functions of a module that are marked with ``@hookimpl``, by their hook; wrappers too."""
    for name, function in vars(module).items():
        mark = getattr(function, IMPL_MARK, None)
        if mark is not None and isinstance(function, FunctionType):
            yield mark.get("specname") or name, function


def is_wrapper(function: FunctionType) -> bool:
    """Tell whether a marked function wraps implementations of its hook, and is none itself."""
    mark = getattr(function, IMPL_MARK)
    return bool(mark["wrapper"] or mark["hookwrapper"])


def check_modules(modules: tuple[ModuleType, ...]) -> None:
    """Check that all implementations in some modules fit the hookspecs.

    :raises PluginFault: with everything that does not fit
    """
    faults: list[str] = []
    owners: dict[str, str] = {}
    wrapped: dict[str, str] = {}
    for module in modules:
        for hook, function in implementations(module):
            place = f"{module.__name__}.{function.__name__}"
            faults += [f"{place}: {fault}" for fault in _faults(hook, function)]
            if is_wrapper(function):
                wrapped[place] = hook
                continue
            if hook in owners:
                faults.append(f"{place}: hook {hook!r} is implemented by {owners[hook]} already; remove one")
            owners[hook] = place
        marks = (*_misplaced_marks(module), *_forgotten_marks(module))
        faults += [f"{module.__name__}.{fault}" for fault in marks]
    faults += [
        f"{place}: wraps hook {hook!r}, which the plugin does not implement; implement it, or remove this"
        for place, hook in wrapped.items()
        if hook in SPEC_PARAMETERS and hook not in owners
    ]
    if not owners and not faults:
        names = ", ".join(module.__name__ for module in modules) or "none"
        faults.append(f"no function is marked with @hookimpl in its hook modules ({names})")
    if faults:
        raise PluginFault("; ".join(faults))


def _misplaced_marks(module: ModuleType) -> Iterator[str]:
    """Yield marked objects that are not functions; pluggy would call some of them."""
    for name, value in vars(module).items():
        if _is_marked(value) and not isinstance(value, FunctionType):
            yield f"{name}: is marked with @hookimpl, but is {shown(value)}; expected a plain function"


def _forgotten_marks(module: ModuleType) -> Iterator[str]:
    """Yield what looks like an implementation, and would not be one."""
    for name, value in vars(module).items():
        # What is imported from elsewhere under a hook's name is a helper.
        own = isinstance(value, FunctionType) and value.__module__ == module.__name__
        if name in SPEC_PARAMETERS and own and not _is_marked(value):
            yield f"{name}: has the name of a hook, but is not marked; add @hookimpl, or rename it"


def _is_marked(value: object) -> bool:
    return isinstance(getattr(value, IMPL_MARK, None), dict)


def _faults(hook: str, function: FunctionType) -> Iterator[str]:
    if hook not in SPEC_PARAMETERS:
        yield f"unknown hook {hook!r}{did_you_mean(hook, SPEC_PARAMETERS)}"
        return
    yield from parameter_faults(function, SPEC_PARAMETERS[hook])
    mark = getattr(function, IMPL_MARK)
    is_generator = inspect.isgeneratorfunction(function)
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        yield "is a coroutine function; hooks are called synchronously"
    elif mark["hookwrapper"]:
        yield "is an old-style wrapper; mark it with @hookimpl(wrapper=True) and `return (yield)`"
    elif mark["wrapper"] and not is_generator:
        yield "has no yield; expected a generator function, which ends with `return (yield)`"
    elif is_generator and not mark["wrapper"]:
        yield "is a generator function; expected one that returns its result"


def parameter_faults(function: Callable[..., Any], known: tuple[str, ...]) -> Iterator[str]:
    """Yield what is wrong with the parameters of an implementation.

    :param known: the parameters of its hookspec
    """
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD:
            yield f"parameter {parameter.name!r} must be a plain one: pluggy passes arguments by position"
        elif parameter.default is not inspect.Parameter.empty:
            yield f"parameter {parameter.name!r} must have no default: core always passes it"
        elif parameter.name not in known:
            hint = did_you_mean(parameter.name, known) or f"; the hook has {', '.join(known)}"
            yield f"unknown argument {parameter.name!r}{hint}"
