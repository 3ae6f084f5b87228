"""What a setting accepts, in words instead of msgspec's types and regular expressions."""

import re
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from msgspec import Meta, Struct
from msgspec.structs import fields

from simplestack.wording import uncapitalized

#: msgspec's names of types, in words that fit TOML.
_TYPES = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "object": "a table",
    "str": "text",
}
_TYPE = re.compile(r"`(?P<names>[a-z]+(?: \| [a-z]+)*)`")
#: Of a pattern for which its plugin has no words.
_OTHER_REGEX = re.compile(r"`str` matching regex .*", re.DOTALL)
_WRONG_CHOICE = re.compile(r"Invalid enum value (?P<value>.*)", re.DOTALL)
_MISSING = re.compile(r"Object missing required field (?P<name>`.*`)")


def in_words(message: str, kind: type[Struct], key: str | None) -> str:
    """Return msgspec's message about an invalid value in words.

    :param kind: the struct of the table
    :param key: the setting of the table that it is about; None if it is about the whole table
    """
    missing = _MISSING.fullmatch(message)
    if missing is not None:
        return f"the setting {missing['name']} is missing"
    choice = _WRONG_CHOICE.fullmatch(message)
    if choice is not None:
        types = [field.type for field in fields(kind) if field.encode_name == key]
        known = ", ".join(str(each) for type_ in types for each in _choices(type_))
        return f"{choice['value']} is not known: use {known}" if known else uncapitalized(message)
    for pattern, words in _words_of_patterns(kind).items():
        message = message.replace(f"`str` matching regex {pattern!r}", words)
    message = _OTHER_REGEX.sub("text in the form that the plugin's documentation describes", message)
    if message.startswith("Expected "):
        message = _TYPE.sub(_words_of_type, message)
    return uncapitalized(message)


def _words_of_type(match: re.Match[str]) -> str:
    names = [name for name in match["names"].split(" | ") if name != "null"]  # TOML has no null
    return " or ".join(_TYPES[name] for name in names) if set(names) <= _TYPES.keys() else match[0]


def _choices(part: Any) -> Iterator[Any]:
    """Yield the values of the literals in a type."""
    if get_origin(part) is Literal:
        yield from get_args(part)
        return
    for each in get_args(part):
        yield from _choices(each)


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
