"""Error messages for invalid settings. They name the setting."""

import re

import msgspec
from msgspec import Struct

from simplestack.config.words import in_words
from simplestack.suggestions import did_you_mean

_MESSAGE = re.compile(r"\A(?P<what>.*?)(?: - at `\$\.?(?P<where>.*)`)?\Z", re.DOTALL)
_UNKNOWN = re.compile(r"unknown field `(?P<key>[^`]*)`")


class SettingsError(Exception):
    """Settings are unknown, missing or invalid. The message names each in a line, and says why."""

    def __init__(self, *problems: str) -> None:
        """Set what is wrong.

        :param problems: a line for each problem
        """
        super().__init__(*problems)
        self.problems: tuple[str, ...] = problems

    def __str__(self) -> str:
        return "\n".join(self.problems)

    @classmethod
    def of(cls, error: msgspec.ValidationError, place: str, kind: type[Struct]) -> "SettingsError":
        """Return the error for an invalid value.

        :param place: dotted path of the table
        :param kind: struct that describes the table
        """
        what, where = _parts(error)
        unknown = _UNKNOWN.search(what)
        if unknown is not None:
            path = ".".join(part for part in (place, where, unknown["key"]) if part)
            hint = did_you_mean(unknown["key"], kind.__struct_fields__)
            return cls(f"{path}: there is no such setting{hint}")
        path = ".".join(part for part in (place, where) if part)
        # A plugin's __post_init__ may raise without saying why.
        return cls(f"{path}: {in_words(what, kind, invalid_key(error)) or 'the plugin rejects these values'}")


def invalid_key(error: msgspec.ValidationError) -> str | None:
    """Return the key of a table that an error is about; None if it is about the whole table."""
    what, where = _parts(error)
    unknown = _UNKNOWN.search(what)
    if not where and unknown is not None:
        return unknown["key"]
    return re.split(r"[.\[]", where, maxsplit=1)[0] or None


def _parts(error: msgspec.ValidationError) -> tuple[str, str]:
    """Return what is wrong, and the path to it in the table."""
    match = _MESSAGE.match(str(error))
    return (match["what"], match["where"] or "") if match else (str(error), "")
