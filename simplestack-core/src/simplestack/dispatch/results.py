"""What hooks return, checked against their types: a plugin's mistake must not reach clients as data."""

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

#: JSON writes these as text. They are kept as they are, so that none of them passes for a `str`.
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
#: `bytes.translate` checks many ids at once in a sixth of the time that the pattern takes.
_CONTROL_CHARACTERS = bytes(code for code in range(0x80) if CONTROL_CHARACTER.match(chr(code)))
_LISTS = frozenset(hook for hook, result in RESULTS.items() if get_origin(result) is list)
#: What is in the lists, and what the other hooks return.
_ITEMS = {hook: get_args(result)[0] if hook in _LISTS else result for hook, result in RESULTS.items()}


class WrongResult(Exception):
    """A plugin returned something else than its hookspec says.

    The message is for the log. It names the plugin, the hook, the place and the types, but never the value,
    which may be a secret.
    """


def check_result(hypervisor: Hypervisor, hook: str, result: Any, source: str | None = None) -> None:
    """Check that a result is what a hook may return, and that all fields of its entities have their types.

    An entity of a plugin's own type is checked with the fields that the plugin has added.

    :param source: whose result it is, where it is not the hypervisor plugin's
    :raises WrongResult: it is something else
    """
    fault = _fault(hypervisor, hook, result)
    if fault is not None:
        raise WrongResult(f"{source or f'plugin {hypervisor.name!r}'}: {hook} returned {fault}")


@functools.cache
def is_fixed(kind: type) -> bool:
    """Tell whether nothing in a checked result of this type, or in an item of a list, can change."""
    return strict_type(kind).is_fixed if issubclass(kind, Struct) else kind in (str, NoneType, Export)


def _fault(hypervisor: Hypervisor, hook: str, result: Any) -> str | None:
    """Say what is wrong with a result."""
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


def _mismatch(found: Any, expected: str) -> str:
    return f"{type(found).__name__}, expected {expected}"


def _fault_of_export(result: Any) -> str | None:
    if not isinstance(result, Export):
        return _mismatch(result, Export.__name__)
    if not isinstance(result.chunks, Iterable) or isinstance(result.chunks, str | bytes | bytearray):
        found = type(result.chunks).__name__
        return f"Export with a wrong field: chunks: expected an iterator of `bytes`, got `{found}`"
    if result.size is not None and (type(result.size) is not int or result.size < 0):
        found = "a negative one" if type(result.size) is int else f"`{type(result.size).__name__}`"
        return f"Export with a wrong field: size: expected `int` >= 0 or `None`, got {found}"
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
    """Tell whether all items are right, at little cost for many; False where that takes a closer look."""
    types = set(map(type, items))
    if len(types) != 1:
        return not types
    (found,) = types
    if not issubclass(found, kind) or not issubclass(found, Struct):
        return found is kind
    if found.__struct_config__.array_like:
        return False
    strict = strict_type(found)
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
    """Return what msgspec can check: plain entities as they are, others taken apart."""
    if strict.is_plain:
        return items
    fields = [
        {name: value for name in item.__struct_fields__ if (value := getattr(item, name)) is not UNSET}
        for item in items
    ]
    values: list[Any] = msgspec.to_builtins(fields, builtin_types=_NOT_TEXT, enc_hook=plain)
    return values


def _fault_of_entity(item: Struct) -> str | None:
    """Say which field of an entity is wrong, and how."""
    if item.__struct_config__.array_like:
        return f": {type(item).__name__} is array_like, expected an object"
    strict = strict_type(type(item))
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
    """Say which field has a number that is not finite: JSON would have null."""
    for name in strict.floats:
        value = getattr(item, name)
        if value and not math.isfinite(value):
            return f".{name}: expected a finite number"
    for name in strict.deep_floats:
        if not _has_finite(item, name):
            return f".{name}: expected finite numbers"
    return None


def _has_finite(item: Struct, name: str) -> bool:
    """Tell whether all numbers in a field, which JSON can have, are finite."""
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
    """Say with msgspec's words what is wrong where, but without the value that it quotes of an enum."""
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
