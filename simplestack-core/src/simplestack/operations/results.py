"""What hooks return, held against the table: a plugin's slip must not reach a client as a strange answer."""

from types import NoneType
from typing import Any, get_args, get_origin

from simplestack.operations.table import RESULTS


class WrongResult(Exception):
    """A plugin returned something else than its hookspec says."""


#: The type of what each hook returns; of the items, where it returns a list.
_TYPES = {
    hook: get_args(result)[0] if get_origin(result) is list else result for hook, result in RESULTS.items()
}
_LISTS = frozenset(hook for hook, result in RESULTS.items() if get_origin(result) is list)


def check_result(hypervisor: str, hook: str, result: Any) -> None:
    """Pass what the hook may return.

    :raises WrongResult: it returned something else
    """
    expected = _TYPES[hook] or NoneType
    if hook in _LISTS:
        fits = isinstance(result, list) and all(isinstance(found, expected) for found in result)
    else:
        fits = isinstance(result, expected)
    if not fits:
        raise WrongResult(
            f"plugin {hypervisor!r}: {hook} returned {type(result).__name__}, not {RESULTS[hook]}"
        )
