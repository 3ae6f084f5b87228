"""What the methods do: a table that ``@method(vim.VirtualMachine, "PowerOnVM_Task")`` adds to."""

import inspect
import keyword
import re
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, TypeVar

from simulators.vsphere.schema import Method, find_method

#: Called with the `Call`, and with all parameters by name, None or [] if they are unset.
Handler = Callable[..., Any]
F = TypeVar("F", bound=Handler)


class Binding(NamedTuple):
    """What a method does to the objects of a type."""

    method: Method
    handler: Handler
    privilege: str


_BINDINGS: dict[tuple[str, Any], Binding] = {}


def method(kind: Any, name: str, *, privilege: str | None = None) -> Callable[[F], F]:
    """Register what a method does to the objects of a managed type, and of those that extend it.

    The function has a parameter for the `Call` and one for each parameter of the method, in snake case; or
    ``**others`` for those that it ignores. It runs with the database locked. It returns the result, and
    raises the faults that the method declares. If the method returns a task, it returns `Call.start`.

    :param name: the method's name in SOAP: ``PowerOnVM_Task``
    :param privilege: what the caller needs, if the tables do not tell it
    :raises AssertionError: the type has no such method, or the function has other parameters
    """
    found = find_method(name)
    if found is None or not issubclass(kind, found.owner):
        raise AssertionError(f"{kind.__name__} has no method {name}")
    needed = privilege or found.privilege
    if needed is None:
        raise AssertionError(f"{name} needs a privilege that the tables do not tell")

    def register(handler: F) -> F:
        own = list(inspect.signature(handler).parameters.values())[1:]
        names = {parameter.name for parameter in own if parameter.kind is not parameter.VAR_KEYWORD}
        takes_others = any(parameter.kind is parameter.VAR_KEYWORD for parameter in own)
        expected = {python_name(parameter.name) for parameter in found.parameters}
        if not names <= expected or (names != expected and not takes_others):
            raise AssertionError(f"{handler.__qualname__} of {name} takes {names}, not {expected}")
        if (name, kind) in _BINDINGS:
            raise AssertionError(f"{name} of {kind.__name__} is registered twice")
        _BINDINGS[name, kind] = Binding(found, handler, needed)
        return handler

    return register


def find_binding(name: str, kind: Any) -> Binding | None:
    """Return what a method does to the objects of a type, if the simulator has it."""
    return next((_BINDINGS[name, base] for base in kind.__mro__ if (name, base) in _BINDINGS), None)


@cache
def python_name(name: str) -> str:
    """Return the name of a function's parameter: ``maxObjects`` is ``max_objects``, ``from`` is ``from_``."""
    found = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return f"{found}_" if keyword.iskeyword(found) else found
