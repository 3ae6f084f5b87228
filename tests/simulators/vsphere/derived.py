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
_OWN: set[Derivation] = set()


def derived(kind: Any, name: str, *, own: bool = False) -> Callable[[Derivation], Derivation]:
    """Register what computes a property of a managed type, and of those that extend it.

    :param own: whether it depends on the object's other properties alone: it is kept until these change
    """
    if name not in fields_by_name(kind):
        raise AttributeError(f"{kind.__name__} has no {name}")

    def register(derivation: Derivation) -> Derivation:
        _DERIVATIONS[kind, name] = derivation
        if own:
            _OWN.add(derivation)
        return derivation

    return register


@cache
def find(kind: Any, name: str) -> Derivation | None:
    """Return what computes a property of a managed type, if it follows from others."""
    return next((_DERIVATIONS[base, name] for base in kind.__mro__ if (base, name) in _DERIVATIONS), None)


@cache
def is_own(kind: Any, name: str) -> bool:
    """Return whether a property depends on the object alone."""
    found = find(kind, name)
    return found is None or found in _OWN
