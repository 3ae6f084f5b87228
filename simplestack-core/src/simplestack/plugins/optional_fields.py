"""Check which optional fields a plugin supports."""

from collections.abc import Iterator, Mapping
from types import FunctionType
from typing import Any, NamedTuple

from msgspec import Struct

from simplestack.operations.optional_fields import OPTIONAL_FIELDS, defaults
from simplestack.plugins.wording import shown
from simplestack.suggestions import did_you_mean


class UnsupportedFields(NamedTuple):
    """The optional fields of a hook that a plugin does not support."""

    #: Name of the hook's argument that has them.
    argument: str
    #: By name.
    defaults: dict[str, Any]


_EXAMPLE = "such as optional_fields={'guest_create': ('user_data',)}"


def optional_fields_faults(declared: Any) -> Iterator[str]:
    """Yield what is wrong with the attribute of a description."""
    if not isinstance(declared, Mapping):
        yield f"optional_fields is {shown(declared)}; expected tuples of fields by hook, {_EXAMPLE}"
        return
    for hook, names in declared.items():
        if hook not in OPTIONAL_FIELDS:
            hint = _hint(hook, OPTIONAL_FIELDS)
            yield f"optional_fields has {shown(hook)}, which is no hook with optional fields{hint}"
        elif not isinstance(names, tuple):
            yield f"optional_fields has {shown(names)} for {hook}; expected a tuple of fields, {_EXAMPLE}"
        else:
            known = OPTIONAL_FIELDS[hook].names
            for name in names:
                if name not in known:
                    hint = _hint(name, known)
                    yield f"optional_fields has {shown(name)}, which is no optional field of {hook}{hint}"


def function_faults(
    declared: Mapping[str, tuple[str, ...]], functions: Mapping[str, FunctionType]
) -> Iterator[str]:
    """Yield what is wrong with the hooks of a plugin that declares these fields.

    :param functions: the plugin's implementations by hook
    """
    for hook, names in declared.items():
        if not names:
            continue
        if hook not in functions:
            yield f"optional_fields has fields of {hook}, which the plugin does not implement; remove them"
            continue
        function = functions[hook]
        argument = OPTIONAL_FIELDS[hook].argument
        if argument not in function.__code__.co_varnames[: function.__code__.co_argcount]:
            yield (
                f"{function.__module__}.{hook} does not take {argument!r}, which has the fields that "
                f"optional_fields lists for it; add the argument {argument!r}"
            )


def supported_fields(
    declared: Mapping[str, tuple[str, ...]], bodies: Mapping[str, type[Struct]]
) -> dict[str, frozenset[str]]:
    """Return by hook the optional fields that a plugin supports.

    These are the declared ones, and those that its own body type defines itself.
    """
    return {
        hook: frozenset(declared.get(hook, ())) | _own_fields(bodies.get(hook, optional.type), optional.type)
        for hook, optional in OPTIONAL_FIELDS.items()
    }


def unsupported_fields(supported: Mapping[str, frozenset[str]]) -> dict[str, UnsupportedFields]:
    """Return by hook the optional fields that a plugin does not support."""
    found = {}
    for hook, optional in OPTIONAL_FIELDS.items():
        names = set(optional.names) - supported[hook]
        if names:
            found[hook] = UnsupportedFields(optional.argument, defaults(optional.type, names))
    return found


def _own_fields(kind: type[Struct], core_type: type[Struct]) -> frozenset[str]:
    own = (base for base in kind.__mro__ if issubclass(base, core_type) and base is not core_type)
    return frozenset(name for base in own for name in base.__annotations__)


def _hint(word: Any, known: Any) -> str:
    suggestion = did_you_mean(word, known) if isinstance(word, str) else ""
    return suggestion or f"; there are {', '.join(known)}"
