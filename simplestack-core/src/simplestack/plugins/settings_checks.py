"""What is wrong with the type of a plugin's settings, whatever values an operator gives."""

import re
import reprlib
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.structs import fields

from simplestack.plugins.wording import shown

#: msgspec's message about a value in a struct's field.
_AT_FIELD = re.compile(r"(?P<what>.*) - at `\$\.(?P<name>\w+).*`\Z")


def settings_faults(settings: Any, base: type[Struct]) -> Iterator[str]:
    """Yield what is wrong with the attribute ``settings`` of a description.

    :param base: the struct that it has to be a subclass of
    """
    if not (isinstance(settings, type) and issubclass(settings, base)):
        yield f"settings is {shown(settings)}; expected a subclass of simplestack.{base.__name__}"
        return
    core_types = {field.name: field.type for field in fields(base)}
    try:
        known = fields(settings)
    except Exception as error:  # evaluates annotations, which may name anything
        yield f"settings: the annotations of {settings.__name__} cannot be evaluated: {error}"
        return
    defaults: dict[str, Any] = {}
    for field in known:
        place = f"{settings.__name__}.{field.name}"
        if field.name in core_types and field.type != core_types[field.name]:
            yield f"settings: {place} has another type than in {base.__name__}; change its default alone"
        try:
            default = field.default if field.default_factory is NODEFAULT else field.default_factory()
        except Exception as error:
            yield f"settings: the default of {place} failed: {type(error).__name__}: {error}"
            return
        if default is not NODEFAULT:
            defaults[field.encode_name] = default
    yield from _default_faults(settings, defaults)


def _default_faults(settings: type[Struct], defaults: dict[str, Any]) -> Iterator[str]:
    """Yield the first default that its own type rejects: msgspec checks what operators write, not defaults.

    All are converted at once, by the struct: msgspec 0.22 frees the pattern of a type like
    ``Annotated[str, Meta(pattern=...)] | list[str]`` twice, unless a struct keeps it.
    """
    try:
        msgspec.convert(defaults, settings)
    except msgspec.ValidationError as error:
        match = _AT_FIELD.match(str(error))
        if match is not None:  # otherwise: what has no default is missing, or __post_init__ wants more
            name, what = match["name"], match["what"]
            found = reprlib.repr(defaults.get(name))
            yield f"settings: the default of {settings.__name__}.{name} is {found}: {what}"
    except TypeError as error:  # a type that msgspec does not know, or a union that it cannot tell apart
        yield f"settings: {settings.__name__} cannot be read from TOML: {error}"
