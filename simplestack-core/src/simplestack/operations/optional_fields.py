"""Fields of requests that a hypervisor may lack: a plugin says which of them it supports."""

from collections.abc import Iterable
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


#: The argument of a hook that callers may leave out: then it is None.
ARGUMENTS_OR_NONE = {hook: its.argument for hook, its in OPTIONAL_FIELDS.items() if its.may_be_none}


def with_optional_argument(hook: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return a hook's arguments, with None for the optional one if it is missing."""
    argument = ARGUMENTS_OR_NONE.get(hook)
    return arguments if argument is None or argument in arguments else {**arguments, argument: None}


def defaults(kind: type[Struct], names: Iterable[str]) -> dict[str, Any]:
    """Return the defaults of some fields of a struct, by name: a field with its default is not given."""
    return {
        field.name: field.default if field.default_factory is NODEFAULT else field.default_factory()
        for field in fields(kind)
        if field.name in names
    }
