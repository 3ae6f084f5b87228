"""Plugin types: the bodies and entities of a plugin's own, read from the annotations of its hooks.

A plugin accepts more fields of a body, or returns more fields of an entity, by annotating with a subclass of
core's struct. Annotations of other parameters, such as the session, are not evaluated: they may name types
that are imported for type checkers only.
"""

import inspect
from collections.abc import Callable
from types import NoneType, SimpleNamespace, UnionType
from typing import Any, Never, NoReturn, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct
from msgspec.structs import fields

from simplestack.plugins.errors import PluginFault

#: What an implementation that says nothing about a type is annotated with.
_UNSPECIFIC = (Any, object, NoReturn, Never)
_MISSING = inspect.Signature.empty


def body_type(function: Callable[..., Any], parameter: str, core_type: type[Struct]) -> type[Struct]:
    """Return the struct to validate a body with.

    :raises PluginFault: the annotation is no subclass of core's, or cannot be used
    """
    found = _annotation(function, parameter)
    if found is _MISSING or found in _UNSPECIFIC or found is core_type:
        return core_type
    if not (isinstance(found, type) and issubclass(found, core_type)):
        raise PluginFault(
            f"{parameter!r} is annotated with {_words(found)}; "
            f"expected {core_type.__name__} or a subclass of it"
        )
    _check_struct(found, f"{parameter!r} is annotated with {_words(found)}")
    return found


def entity_type(function: Callable[..., Any], core_result: Any) -> type[Struct] | None:
    """Return the entity that a hook returns, or a list of: core's, or the plugin's subclass of it.

    None for a hook that returns no entity.

    :raises PluginFault: the annotation is not of what the hook returns, or cannot be used
    """
    found = _annotation(function, "return")
    if found is not _MISSING and not _fits(found, core_result):
        raise PluginFault(f"it is annotated to return {_words(found)}; expected {_expected(core_result)}")
    core_entity = entity_of(core_result)
    entity = entity_of(found)
    if core_entity is None or entity is None or entity is core_entity:
        return core_entity
    annotated = f"it is annotated to return {_words(found)}"
    _check_struct(entity, annotated)
    _check_core_fields(entity, core_entity, annotated)
    return entity


def entity_of(result: Any) -> type[Struct] | None:
    """Return the struct in ``Guest`` or ``list[Guest]``; None where there is none."""
    if get_origin(result) is list:
        (result,) = get_args(result) or (None,)  # a bare typing.List
    return result if isinstance(result, type) and issubclass(result, Struct) else None


def _annotation(function: Callable[..., Any], name: str) -> Any:
    """Return what a parameter (or ``return``) is annotated with, evaluated, forward references included.

    :raises PluginFault: it names something that does not exist at run time
    """
    written = function.__annotations__.get(name, _MISSING)
    if written is _MISSING:
        return _MISSING
    holder = SimpleNamespace(__annotations__={name: written})
    try:
        return get_type_hints(holder, inspect.unwrap(function).__globals__)[name]
    except Exception as error:  # it is an expression, and may do anything
        whose = "its return annotation" if name == "return" else f"the annotation of {name!r}"
        raise PluginFault(
            f"{whose}, {written!r}, cannot be evaluated: {error}; core reads it, so import what it names at "
            "run time, not under TYPE_CHECKING"
        ) from error


def _fits(found: Any, expected: Any) -> bool:
    if found in _UNSPECIFIC:
        return True
    if get_origin(found) in (Union, UnionType):
        return all(_fits(one, expected) for one in get_args(found))
    if expected is None:
        return found is NoneType
    if get_origin(expected) is list:
        (item,) = get_args(expected)
        is_list = found is list or get_origin(found) is list
        return is_list and all(_fits(one, item) for one in get_args(found))  # a bare one has none
    return isinstance(found, type) and issubclass(found, expected)


def _check_struct(struct: type[Struct], annotated: str) -> None:
    """Check that a struct can be read from a JSON object, written as one and described as one."""
    try:
        msgspec.json.Decoder(struct)
        msgspec.json.schema(struct)
    except Exception as error:  # evaluates the annotations of the fields
        raise PluginFault(f"{annotated}, whose fields JSON cannot have: {error}") from error
    if struct.__struct_config__.array_like:
        raise PluginFault(f"{annotated}, which is array_like; clients expect an object: remove array_like")
    for field in fields(struct):
        if field.encode_name != field.name:
            raise PluginFault(
                f"{annotated}, whose field {field.name!r} is {field.encode_name!r} in JSON; a field has one "
                "name: remove `name` and `rename`"
            )


def _check_core_fields(entity: type[Struct], core_entity: type[Struct], annotated: str) -> None:
    """Check that clients find core's fields as core describes them. A body may accept less than core's."""
    own = {field.name: field for field in fields(entity)}
    for field in fields(core_entity):
        if own[field.name].type != field.type:
            raise PluginFault(
                f"{annotated}, whose field {field.name!r} has another type than in {core_entity.__name__}; "
                f"remove the field from {entity.__name__}"
            )


def _words(kind: Any) -> str:
    if kind in (None, NoneType):
        return "None"
    if isinstance(kind, type) and get_origin(kind) is None:
        return kind.__name__
    if get_origin(kind) is list:
        return f"list[{', '.join(map(_words, get_args(kind)))}]" if get_args(kind) else "list"
    return str(kind)


def _expected(core_result: Any) -> str:
    entity = entity_of(core_result)
    if entity is None:
        return _words(core_result)
    if get_origin(core_result) is list:
        return f"{_words(core_result)} or a list of a subclass of {entity.__name__}"
    return f"{entity.__name__} or a subclass of it"
