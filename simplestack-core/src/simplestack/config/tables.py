"""Convert a table of settings to its struct, and find everything that is wrong in it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from simplestack.config.errors import SettingsError, invalid_key

S = TypeVar("S", bound=Struct)


@dataclass(frozen=True, slots=True)
class Table(Generic[S]):
    """A table of settings as its struct, and what is wrong in it."""

    #: The settings. Invalid ones have their defaults; None if the struct cannot be made of the others.
    values: S | None
    #: What the settings were made of: the table without what is invalid.
    raw: dict[str, Any]
    problems: tuple[str, ...]


def convert_table(
    raw: dict[str, Any],
    kind: type[S],
    place: str,
    convert: Callable[[dict[str, Any]], S | msgspec.ValidationError],
) -> Table[S]:
    """Convert a table. msgspec reports the first problem only, so leave out what is invalid and try again.

    :param place: dotted path of the table
    :param convert: makes the struct, or returns why it cannot
    """
    left = dict(raw)
    problems: list[str] = []
    while True:
        made = convert(left)
        if not isinstance(made, msgspec.ValidationError):
            return Table(made, left, tuple(problems))
        key = invalid_key(made)
        if key in left:
            problems.append(str(SettingsError.of(made, place, kind)))
            del left[key]
            continue
        if not problems:  # otherwise it may be due to what was left out
            problems.append(str(SettingsError.of(made, place, kind)))
        return Table(None, left, tuple(problems))
