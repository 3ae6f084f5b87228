"""Which types a plugin's implementations really take and return.

A plugin narrows a body, or an entity that it returns, by annotating with a subclass of core's struct. The
annotations of other parameters, the session's above all, may name what is imported for type checkers only;
so only those that matter are looked at.
"""

import sys
from collections.abc import Callable
from typing import Any, get_args, get_origin

from msgspec import Struct


def annotation(function: Callable[..., Any], parameter: str) -> Any:
    """Return what `parameter` (or ``return``) is annotated with, evaluated; None when it is not annotated.

    :raises NameError: the annotation names something that does not exist at run time
    """
    found = function.__annotations__.get(parameter)
    if isinstance(found, str):
        return eval(found, vars(sys.modules[function.__module__]))  # noqa: S307  as typing.get_type_hints does
    return found


def narrowed_body(function: Callable[..., Any], parameter: str, core_type: type[Struct]) -> type[Struct]:
    """Return the struct to validate a body with.

    :raises TypeError: the annotation is no subclass of core's
    """
    found = annotation(function, parameter)
    if found is None:
        return core_type
    if not (isinstance(found, type) and issubclass(found, core_type)):
        raise TypeError(
            f"{function.__name__}: {parameter!r} is annotated with {found!r}, "
            f"which is not {core_type.__name__} or a subclass of it"
        )
    return found


def narrowed_entity(function: Callable[..., Any], core_result: Any) -> type[Struct] | None:
    """Return the entity that a hook returns, or a list of: core's, or the plugin's subclass of it.

    None for a hook that returns no entity.
    """
    core_entity = entity_of(core_result)
    if core_entity is None:
        return None
    try:
        found = entity_of(annotation(function, "return"))
    except NameError:  # imported for type checkers only
        found = None
    return found if found is not None and issubclass(found, core_entity) else core_entity


def entity_of(result: Any) -> type[Struct] | None:
    """Return the struct in ``Guest`` or ``list[Guest]``; None where there is none."""
    if get_origin(result) is list:
        (result,) = get_args(result)
    return result if isinstance(result, type) and issubclass(result, Struct) else None
