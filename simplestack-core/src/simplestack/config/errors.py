"""What is wrong with the settings, in words that name the key."""

import re

import msgspec

from simplestack.entities.limits import plain_words
from simplestack.suggestions import did_you_mean

_MESSAGE = re.compile(r"\A(?P<what>.*?)(?: - at `\$\.?(?P<where>.*)`)?\Z", re.DOTALL)
_UNKNOWN = re.compile(r"unknown field `(?P<key>[^`]*)`")


class SettingsError(Exception):
    """A setting is unknown, missing or wrong; the message names it and says why."""

    @classmethod
    def of(cls, error: msgspec.ValidationError, place: str, kind: type[msgspec.Struct]) -> "SettingsError":
        """Say where in the settings a value is that does not fit.

        :param place: dotted path of the table
        :param kind: the struct that describes the table
        """
        match = _MESSAGE.match(str(error))
        what, where = (match["what"], match["where"] or "") if match else (str(error), "")
        unknown = _UNKNOWN.search(what)
        if unknown is not None:
            path = ".".join(part for part in (place, where, unknown["key"]) if part)
            hint = did_you_mean(unknown["key"], kind.__struct_fields__)
            return cls(f"{path}: there is no such setting{hint}")
        path = ".".join(part for part in (place, where) if part)
        # A plugin's __post_init__ may raise without saying why.
        return cls(f"{path}: {plain_words(what)}" if what else f"{path}: the plugin rejects these values")
