"""Check the results of hooks, so that mistakes of plugins do not reach clients as data."""

import datetime as dt
import functools
import math
import re
import uuid
from collections.abc import Iterable
from types import NoneType
from typing import Any, get_args, get_origin

import msgspec
from msgspec import UNSET, Struct

from simplestack.dispatch.strict_types import StrictType, strict_type
from simplestack.entities.limits import CONTROL_CHARACTER, PATH_NAME_PATTERN
from simplestack.entities.plain import plain
from simplestack.entities.transfer import Export
from simplestack.operations.table import RESULTS
from simplestack.plugins.hypervisor import Hypervisor
from simplestack.wording import uncapitalized

#: Types that are text in JSON. They are not converted, so that they do not pass for a `str`.
_NOT_TEXT = (
    bytes,
    bytearray,
    memoryview,
    dt.datetime,
    dt.date,
    dt.time,
    dt.timedelta,
    uuid.UUID,
)
_ID = re.compile(PATH_NAME_PATTERN)
_NO_IDS = frozenset({"", ".", ".."})
#: `bytes.translate` checks many IDs at once, six times as fast as the pattern.
_CONTROL_CHARACTERS = bytes(code for code in range(0x80) if CONTROL_CHARACTER.match(chr(code)))
_LISTS = frozenset(hook for hook, result in RESULTS.items() if get_origin(result) is list)
#: By hook: the type of the items in its list, or of its result.
_ITEMS = {hook: get_args(result)[0] if hook in _LISTS else result for hook, result in RESULTS.items()}


class WrongResult(Exception):
    """A plugin returned a value that its hookspec does not allow.

    The message is for the log. It names the plugin, the hook, the place and the types, but never the value,
    which may be a secret.
    """


def check_result(hypervisor: Hypervisor, hook: str, result: Any, source: str | None = None) -> None:
    """Check that a result has the hook's type, and that all fields of its entities have their types.

    An entity of a plugin's own type is checked with the fields that the plugin has added.

    :param source: the plugin, if it is not the hypervisor plugin
    :raises WrongResult: the result is wrong
    """
    fault = _fault(hypervisor, hook, result)
    if fault is not None:
        raise WrongResult(f"{source or f'plugin {hypervisor.name!r}'}: {hook} returned {fault}")


@functools.cache
def is_fixed(kind: type) -> bool:
    """Return whether checked results of this type, or the items of a list, are immutable."""
    return strict_type(kind).is_fixed if issubclass(kind, Struct) else kind in (str, NoneType, Export)


def _fault(hypervisor: Hypervisor, hook: str, result: Any) -> str | None:
    """Return what is wrong with a result; None if nothing is."""
    expected = RESULTS[hook]
    if expected is None:
        return None if result is None else _mismatch(result, "None")
    if expected is Export:
        return _fault_of_export(result)
    kind = hypervisor.entities.get(hook) or _ITEMS[hook]
    if hook in _LISTS:
        return _fault_of_list(result, kind)
    if not isinstance(result, kind):
        return _mismatch(result, kind.__name__)
    fault = _fault_of_entity(result)
    return fault and f"{type(result).__name__} with a wrong field: {fault.lstrip('.: ')}"


def _mismatch(result: Any, expected: str) -> str:
    return f"{type(result).__name__}, expected {expected}"


def _fault_of_export(result: Any) -> str | None:
    if not isinstance(result, Export):
        return _mismatch(result, Export.__name__)
    if not isinstance(result.chunks, Iterable) or isinstance(result.chunks, str | bytes | bytearray):
        kind = type(result.chunks).__name__
        return f"Export with a wrong field: chunks: expected an iterator of `bytes`, got `{kind}`"
    if result.size is not None and (type(result.size) is not int or result.size < 0):
        got = "a negative one" if type(result.size) is int else f"`{type(result.size).__name__}`"
        return f"Export with a wrong field: size: expected `int` >= 0 or `None`, got {got}"
    return None


def _fault_of_list(result: Any, kind: type) -> str | None:
    if not isinstance(result, list):
        return _mismatch(result, f"list[{kind.__name__}]")
    if _are_right(result, kind):
        return None
    for index, item in enumerate(result):
        if not isinstance(item, kind):
            fault: str | None = f": expected `{kind.__name__}`, got `{type(item).__name__}`"
        else:
            fault = _fault_of_entity(item) if isinstance(item, Struct) else None
        if fault:
            return f"list with a wrong item: [{index}]{fault}"
    return None


def _are_right(items: list[Any], kind: type) -> bool:
    """Return whether all items are certainly right. It is fast; False requires a closer check."""
    types = set(map(type, items))
    if len(types) != 1:
        return not types
    (item_type,) = types
    if not issubclass(item_type, kind) or not issubclass(item_type, Struct):
        return item_type is kind
    strict = strict_type(item_type)
    if strict.is_array_like:
        return False
    try:
        msgspec.convert(_values(items, strict), strict.many, from_attributes=True)
    except Exception:
        return False
    return (
        all(
            all(map(math.isfinite, filter(None, [getattr(item, name) for item in items])))
            for name in strict.floats
        )
        and all(_has_finite(item, name) for name in strict.deep_floats for item in items)
        and (not strict.has_id or _are_ids([item.id for item in items]))
    )


def _are_ids(ids: list[str]) -> bool:
    text = "".join(ids).encode(errors="surrogatepass")
    return _NO_IDS.isdisjoint(ids) and len(text.translate(None, _CONTROL_CHARACTERS)) == len(text)


def _values(items: list[Any], strict: StrictType) -> list[Any]:
    """Return values for msgspec to check: simple entities themselves, of others their fields."""
    if strict.is_plain:
        return items
    fields = [
        {name: value for name in item.__struct_fields__ if (value := getattr(item, name)) is not UNSET}
        for item in items
    ]
    values: list[Any] = msgspec.to_builtins(fields, builtin_types=_NOT_TEXT, enc_hook=plain)
    return values


def _fault_of_entity(item: Struct) -> str | None:
    """Return which field of an entity is wrong, and why."""
    strict = strict_type(type(item))
    if strict.is_array_like:
        return f": {type(item).__name__} is array_like, expected an object"
    try:
        msgspec.convert(
            item if strict.is_plain else _values([item], strict)[0], strict.one, from_attributes=True
        )
    except msgspec.ValidationError as error:
        return _without_value(str(error))
    except Exception:  # msgspec does not say where a value is that JSON cannot have
        return _fault_of_value(item)
    if fault := _fault_of_numbers(item, strict):
        return fault
    if strict.has_id and not _ID.match(item.id):  # type: ignore[attr-defined]  # it has one
        return ".id: expected text that is not empty, `.` or `..`, without control characters"
    return None


def _fault_of_numbers(item: Struct, strict: StrictType) -> str | None:
    """Return which field has a number that is not finite, which would be null in JSON."""
    for name in strict.floats:
        value = getattr(item, name)
        if value and not math.isfinite(value):
            return f".{name}: expected a finite number"
    for name in strict.deep_floats:
        if not _has_finite(item, name):
            return f".{name}: expected finite numbers"
    return None


def _has_finite(item: Struct, name: str) -> bool:
    """Return whether all numbers in a field are finite."""
    value = getattr(item, name)
    return value is UNSET or _is_finite(msgspec.to_builtins(value, builtin_types=_NOT_TEXT, enc_hook=plain))


def _is_finite(value: Any) -> bool:
    match value:
        case float():
            return math.isfinite(value)
        case dict():
            return all(map(_is_finite, value.values()))
        case list() | tuple() | set() | frozenset():
            return all(map(_is_finite, value))
        case _:
            return True


def _without_value(text: str) -> str:
    """Return msgspec's message without the value of an enumeration, which it quotes."""
    what, _, where = text.rpartition(" - at ") if " - at `" in text else (text, "", "")
    if what.startswith("Invalid enum value"):
        what = "invalid enum value"
    return f"{where.strip('`').removeprefix('$')}: {uncapitalized(what)}"


def _fault_of_value(item: Struct) -> str | None:
    for name in item.__struct_fields__:
        value = getattr(item, name)
        try:
            msgspec.to_builtins(value, builtin_types=_NOT_TEXT, enc_hook=plain)
        except Exception:
            return f".{name}: `{type(value).__name__}` cannot be written as JSON"
    return ": it cannot be written as JSON"
