"""Convert strings and numbers of subclasses of `str`, `int` and `float` to plain ones for JSON."""

from collections.abc import Callable
from typing import Any

_PLAIN: dict[type, Callable[[Any], Any]] = {str: str.__str__, int: int.__int__, float: float.__float__}


def plain(value: Any) -> Any:
    """Return the plain value: msgspec calls this for a value whose class it does not know.

    :raises NotImplementedError: the value has no form in JSON
    """
    for kind, convert in _PLAIN.items():
        if isinstance(value, kind):
            return convert(value)
    raise NotImplementedError(f"{type(value).__name__} cannot be written as JSON")
