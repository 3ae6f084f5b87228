"""Fields of structs that are secret: no message, no log and no ``repr`` shows their values."""

import functools
from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

from msgspec import Meta, Struct
from msgspec.structs import fields


class HidesSecrets:
    """Shows a struct without the values of its secret fields. It comes before `Struct` in the bases."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value}' for name, value in _shown(self))})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Return names and values for the library rich."""
        return list(_shown(self))


def is_secret(kind: Any) -> bool:
    """Return whether values of a type are secret."""
    if get_origin(kind) is Annotated:
        metas = kind.__metadata__
        return any(isinstance(meta, Meta) and (meta.extra or {}).get("secret") for meta in metas)
    return any(map(is_secret, get_args(kind)))


@functools.cache
def secret_fields(kind: type[Struct]) -> frozenset[str]:
    """Return the names of a struct's secret fields, also of those whose types a subclass narrows."""
    own = get_origin(kind) or kind
    structs = [base for base in own.__mro__ if issubclass(base, Struct)]
    return frozenset(field.name for base in structs for field in fields(base) if is_secret(field.type))


def _shown(struct: Any) -> Iterator[tuple[str, str]]:
    kind: type[Struct] = type(struct)
    for name in kind.__struct_fields__:
        value = getattr(struct, name)
        is_hidden = value is not None and name in secret_fields(kind)
        yield name, "<secret>" if is_hidden else repr(value)
