"""What hooks return, held against the table: a plugin's slip must not reach a client as a strange answer."""

from types import NoneType
from typing import Any, get_args, get_origin

from simplestack.operations.table import RESULTS


class WrongResult(Exception):
    """A plugin returned something else than its hookspec says."""


def check_result(hypervisor: str, hook: str, result: Any) -> None:
    """Pass what the hook may return.

    :raises WrongResult: it returned something else
    """
    expected = RESULTS[hook]
    if get_origin(expected) is list:
        (item,) = get_args(expected)
        fits = isinstance(result, list) and all(isinstance(found, item) for found in result)
    else:
        fits = isinstance(result, NoneType if expected is None else expected)
    if not fits:
        raise WrongResult(f"plugin {hypervisor!r}: {hook} returned {type(result).__name__}, not {expected}")
