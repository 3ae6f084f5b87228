"""Fields of requests that a hypervisor may lack: a plugin says which of them it supports."""

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

from msgspec import NODEFAULT, Struct
from msgspec.structs import fields

from simplestack.entities.cloud_init import CloudInit
from simplestack.entities.guest import GuestCreate, GuestImport


class OptionalFields(NamedTuple):
    """The optional fields of a hook."""

    #: Name of the hook's argument that has them.
    argument: str
    #: Type of the argument; a plugin may have a subclass of it.
    type: type[Struct]
    names: tuple[str, ...]
    #: Whether the argument is None if none of the fields is given. Callers may leave it out then.
    may_be_none: bool


_CLOUD_INIT = CloudInit.__struct_fields__
#: By hook.
OPTIONAL_FIELDS = {
    "guest_create": OptionalFields("guest", GuestCreate, ("firmware", *_CLOUD_INIT), may_be_none=False),
    "guest_clone": OptionalFields("cloud_init", CloudInit, _CLOUD_INIT, may_be_none=True),
    "guest_import": OptionalFields(
        "description", GuestImport, GuestImport.__struct_fields__, may_be_none=True
    ),
}


def with_optional_argument(hook: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return a hook's arguments, with None for the optional one if it is missing."""
    optional = OPTIONAL_FIELDS.get(hook)
    if optional is None or not optional.may_be_none or optional.argument in arguments:
        return arguments
    return {**arguments, optional.argument: None}


def given_fields(optional: OptionalFields, value: Struct | None) -> Iterator[str]:
    """Yield the names of the optional fields that are given: those that do not have their default."""
    if value is not None:
        for name, default in _defaults(type(value)).items():
            if name in optional.names and getattr(value, name) != default:
                yield name


@functools.cache
def _defaults(kind: type[Struct]) -> dict[str, Any]:
    """Return the defaults of a struct's fields by name."""
    return {
        field.name: field.default if field.default_factory is NODEFAULT else field.default_factory()
        for field in fields(kind)
    }
