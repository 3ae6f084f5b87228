"""What messages about plugins have in common."""

import inspect
import reprlib
from types import ModuleType
from typing import Any

#: Types whose values say more than their type.
_PLAIN = (str, bytes, int, float, tuple, list, dict, set, frozenset, type(None))


def shown(value: Any) -> str:
    """Return what a value is, in a few words."""
    if isinstance(value, type):
        return f"class {value.__qualname__}"
    if isinstance(value, ModuleType):
        return f"module {value.__name__}"
    if inspect.ismethod(value):
        return f"method {value.__qualname__}"
    if inspect.isroutine(value):
        return f"function {value.__name__}"
    if isinstance(value, _PLAIN):
        return reprlib.repr(value)
    return f"an object of class {type(value).__qualname__}"
