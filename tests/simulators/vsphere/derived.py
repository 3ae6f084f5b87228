"""Properties that follow from others: ``@derived(vim.Datastore, "vm")`` computes one each time it is read.

They are computed only where an object has no value of its own.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from simulators.vsphere.schema import fields_by_name

#: Takes the `Object`, and returns the value.
Derivation = Callable[[Any], Any]
_DERIVATIONS: dict[tuple[Any, str], Derivation] = {}


def derived(kind: Any, name: str) -> Callable[[Derivation], Derivation]:
    """Register what computes a property of a managed type, and of those that extend it."""
    if name not in fields_by_name(kind):
        raise AttributeError(f"{kind.__name__} has no {name}")

    def register(derivation: Derivation) -> Derivation:
        _DERIVATIONS[kind, name] = derivation
        return derivation

    return register


@cache
def find(kind: Any, name: str) -> Derivation | None:
    """Return what computes a property of a managed type, if it follows from others."""
    return next((_DERIVATIONS[base, name] for base in kind.__mro__ if (base, name) in _DERIVATIONS), None)
