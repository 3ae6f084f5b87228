"""Error messages for invalid settings. They name the setting."""

import re
from typing import Any, get_args

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import fields

from simplestack.suggestions import did_you_mean
from simplestack.wording import uncapitalized

_MESSAGE = re.compile(r"\A(?P<what>.*?)(?: - at `\$\.?(?P<where>.*)`)?\Z", re.DOTALL)
#: Of a pattern for which its plugin has no words.
_OTHER_REGEX = re.compile(r"`str` matching regex .*", re.DOTALL)
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
        return cls(f"{path}: {_in_words(what, kind) or 'the plugin rejects these values'}")


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


def _in_words(message: str, kind: type[Struct]) -> str:
    """Replace the regular expressions in a message of msgspec with words."""
    for pattern, words in _words_of_patterns(kind).items():
        message = message.replace(f"`str` matching regex {pattern!r}", words)
    return uncapitalized(
        _OTHER_REGEX.sub("a string in the form that the plugin's documentation describes", message)
    )


def _words_of_patterns(kind: type[Struct]) -> dict[str, str]:
    """Return the words for the patterns in a struct: ``Meta(extra={"words": ...})``."""
    words: dict[str, str] = {}
    structs: list[type[Struct]] = []  # visited: a struct may contain itself
    parts: list[Any] = [kind]
    while parts:
        part = parts.pop()
        if isinstance(part, Meta):
            if part.pattern is not None and part.extra and "words" in part.extra:
                words[part.pattern] = part.extra["words"]
        elif isinstance(part, type) and issubclass(part, Struct):
            if part not in structs:
                structs.append(part)
                parts += [field.type for field in fields(part)]
        else:
            parts += get_args(part)
    return words
