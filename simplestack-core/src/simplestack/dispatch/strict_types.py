"""Types for msgspec to check the entities of plugins.

msgspec does not look into an instance of the type that it converts to. So entities are converted to another
type that has the same fields. All are required, and a plugin's ``__post_init__`` does not run again.
"""

import functools
import inspect
import sys
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, get_args, get_type_hints

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.inspect import (
    BoolType,
    CollectionType,
    DictType,
    EnumType,
    FloatType,
    IntType,
    LiteralType,
    Metadata,
    NoneType,
    StrType,
    Type,
    UnionType,
)

_SCALARS = (NoneType, BoolType, IntType, FloatType, StrType, EnumType, LiteralType)


@dataclass(frozen=True, slots=True)
class StrictType:
    """How to check entities of one type."""

    #: Types to which msgspec converts an entity, and a list of entities.
    one: Any
    many: Any
    #: Whether all fields are plain values, or lists and dicts of these. Only such entities can be converted
    #: directly: in other fields, msgspec would not look into an object, or not take UNSET.
    is_plain: bool
    #: Whether entities are immutable: frozen, without fields that are lists, dicts or other objects.
    is_fixed: bool
    #: The fields that are numbers, floats among them, or null.
    floats: tuple[str, ...]
    #: The other fields that may have floats in them.
    deep_floats: tuple[str, ...]
    has_id: bool
    #: Whether JSON has an array for such an entity.
    is_array_like: bool


@functools.cache
def strict_type(entity: type[Struct]) -> StrictType:
    """Return how to check entities of this type.

    A field may have any value if its annotation cannot be evaluated, as that of an import for type checkers
    only, or if msgspec does not know its type.
    """
    kinds = {name: _field_type(entity, name) for name in entity.__struct_fields__}
    types = {name: _type_info(kind) for name, kind in kinds.items()}
    floats = tuple(name for name, kind in types.items() if _is_float(kind))
    optional = {name for name, kind in kinds.items() if UnsetType in get_args(kind)}
    fields: list[Any] = [
        (name, kind, UNSET) if name in optional else (name, kind) for name, kind in kinds.items()
    ]
    # Thousands of them may live for a moment: the garbage collector need not look at any.
    one = msgspec.defstruct(entity.__name__, fields, kw_only=True, gc=False)
    return StrictType(
        one=one,
        many=list[one],  # type: ignore[valid-type]  # made while running
        is_plain=not optional and all(map(_is_plain, types.values())),
        is_fixed=entity.__struct_config__.frozen and all(map(_is_scalar, types.values())),
        floats=floats,
        deep_floats=tuple(
            name for name, kind in types.items() if name not in floats and _may_have_floats(kind)
        ),
        has_id="id" in kinds,
        is_array_like=entity.__struct_config__.array_like,
    )


def _field_type(entity: type[Struct], field: str) -> Any:
    owners = [owner for owner in entity.__mro__ if field in inspect.get_annotations(owner)]
    # Clients know core's type of a field, whatever a plugin's class says of it.
    owner = next((owner for owner in owners if _is_core(owner)), owners[0])
    alone = SimpleNamespace(__annotations__={field: inspect.get_annotations(owner)[field]})
    try:
        kind = get_type_hints(alone, vars(sys.modules[owner.__module__]), include_extras=True)[field]
        msgspec.inspect.type_info(kind)
    except Exception:
        return Any
    return kind


def _is_core(owner: type) -> bool:
    return owner.__module__.startswith("simplestack.entities.")


def _type_info(kind: Any) -> Type:
    info = msgspec.inspect.type_info(kind)
    return info.type if isinstance(info, Metadata) else info  # a description, for example


def _is_float(kind: Type) -> bool:
    choices = {type(choice) for choice in (kind.types if isinstance(kind, UnionType) else (kind,))}
    return FloatType in choices and {FloatType, IntType, NoneType}.issuperset(choices)


def _may_have_floats(kind: Type) -> bool:
    match kind:
        case UnionType(types=types):
            return any(map(_may_have_floats, types))
        case CollectionType(item_type=item):
            return _may_have_floats(item)
        case DictType(value_type=value):  # JSON writes keys as text
            return _may_have_floats(value)
        case _:
            return isinstance(kind, FloatType) or not isinstance(kind, _SCALARS)


def _is_plain(kind: Type) -> bool:
    match kind:
        case UnionType(types=types):
            return all(map(_is_plain, types))
        case CollectionType(item_type=item):
            return _is_plain(item)
        case DictType(key_type=key, value_type=value):
            return _is_plain(key) and _is_plain(value)
        case _:
            return _is_scalar(kind)


def _is_scalar(kind: Type) -> bool:
    return all(map(_is_scalar, kind.types)) if isinstance(kind, UnionType) else isinstance(kind, _SCALARS)
