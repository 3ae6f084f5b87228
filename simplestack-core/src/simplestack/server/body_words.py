"""Values and types of JSON bodies, in words for error messages."""

import json
import math
from collections.abc import Iterable
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec.inspect import (
    BoolType,
    BytesType,
    CollectionType,
    DateTimeType,
    DateType,
    DecimalType,
    DictType,
    EnumType,
    FloatType,
    IntType,
    LiteralType,
    Metadata,
    NoneType,
    StrType,
    StructType,
    TimeType,
    Type,
    UnionType,
    UUIDType,
)

_SHOWN_LENGTH = 60
#: Words for types without limits.
_PLAIN_WORDS: dict[type[Type], str] = {
    NoneType: "null",
    BytesType: "bytes in base64",
    DateTimeType: "a time in RFC 3339",
    DateType: "a date such as 2026-01-31",
    TimeType: "a time such as 12:30:00",
    UUIDType: "a UUID",
    DecimalType: "a number",
}


def shown(value: Any) -> str:
    """Return a value in words. Long values are shortened."""
    match value:
        case str():
            return _shown_string(value)
        case list():
            return f"an array of {len(value)} items" if len(value) > 1 else "an array"
        case dict():
            return "an object"
        case float() if not math.isfinite(value):
            return "a number that is out of range"
        case _:
            text = json.dumps(value)
            return text if len(text) <= _SHOWN_LENGTH else f"a number of {len(text)} digits"


def shown_secret(value: Any) -> str:
    """Return in words what kind of value it is, without the value."""
    match value:
        case str():
            return f"a string of {len(value)} characters"
        case None | bool() | list() | dict():
            return shown(value)
        case _:
            return "a number"


def _shown_string(text: str) -> str:
    if len(text) > _SHOWN_LENGTH:
        return f"a string of {len(text)} characters, {text[:_SHOWN_LENGTH] + '...'!r}"
    return f"the string {text!r}" if text else "an empty string"


def shown_name(name: str) -> str:
    """Return the name of a field on one line. Long names are shortened."""
    cut = name if len(name) <= _SHOWN_LENGTH else f"{name[:_SHOWN_LENGTH]}..."
    return cut if cut.isprintable() and "`" not in cut else repr(cut)[1:-1].replace("`", "'")


def accepted(kinds: Iterable[Any]) -> str:
    """Return the values that these types accept, in words."""
    return _listed([words for kind in kinds for words in _words_of(kind)])


def accepted_choices(kind: Any) -> tuple[str | None, str]:
    """Return the words for an enumeration or a literal type, if it has any, and its values."""
    info = msgspec.inspect.type_info(kind)
    if isinstance(info, Metadata) and isinstance(info.type, LiteralType | EnumType):
        return (info.extra or {}).get("words"), accepted([kind])
    return None, ""


def bare(kind: Any) -> Any:
    """Return a type without ``Annotated``."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _words_of(kind: Any) -> list[str]:
    if get_origin(bare(kind)) is Literal:  # in the order of the source: msgspec sorts them
        return list(map(_literal, get_args(bare(kind))))
    return _words(msgspec.inspect.type_info(kind))


def _literal(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value)


def _words(info: Type, name: str | None = None) -> list[str]:
    """Return what a type accepts: one item for each value of an enumeration or literal, otherwise one phrase.

    :param name: words for the values; None describes the type
    """
    match info:
        case Metadata(extra_json_schema={"const": value}):
            words = [json.dumps(value)]
        case Metadata(type=inner, extra=extra):
            words = _words(inner, (extra or {}).get("words"))
        case UnionType(types=types):
            words = [word for choice in types for word in _words(choice)]
        case LiteralType(values=values):
            words = list(map(_literal, values))
        case EnumType(cls=enumeration):
            words = [_literal(choice.value) for choice in enumeration]
        case BoolType():
            words = ["true", "false"]
        case _:
            words = [_phrase(info, name)]
    return words


def _phrase(info: Type, name: str | None) -> str:
    match info:
        case IntType() | FloatType():
            kind = "a whole number" if isinstance(info, IntType) else "a number"
            phrase = (name or kind) + _range(info)
        case StrType():
            # Not the pattern: most people cannot read it.
            form = (
                "a string"
                if info.pattern is None
                else "a string in the form that GET /openapi.json describes"
            )
            phrase = (name or form) + _length(info, "characters")
        case CollectionType(item_type=item):
            phrase = f"an array{_length(info, 'items')} in which each item is {_listed(_words(item))}"
        case DictType(key_type=key, value_type=value):
            names = "" if key == StrType() else f"each name is {_listed(_words(key))} and "
            values = _listed(_words(value))
            phrase = f"an object{_length(info, 'fields')} in which {names}each value is {values}"
        case StructType(fields=fields, tag_field=tag_field, tag=tag):
            is_tagged = f" whose `{tag_field}` is {json.dumps(tag)}" if tag_field else ""
            phrase = f"an object{is_tagged} (fields: {', '.join(field.encode_name for field in fields)})"
        case _:
            phrase = name or _PLAIN_WORDS.get(type(info), "what GET /openapi.json describes")
    return phrase


def _range(info: IntType | FloatType) -> str:
    if info.ge is not None and info.le is not None:
        limits = [f"{info.ge} to {info.le}"]
    else:
        bounds = {"more than": info.gt, "at least": info.ge, "less than": info.lt, "at most": info.le}
        limits = [f"{words} {bound}" for words, bound in bounds.items() if bound is not None]
    if info.multiple_of is not None:
        limits.append(f"a multiple of {info.multiple_of}")
    return f" ({', '.join(limits)})" if limits else ""


def _length(info: StrType | CollectionType | DictType, what: str) -> str:
    match info.min_length, info.max_length:
        case None, None:
            return ""
        case None, most:
            return f" (at most {most} {what})"
        case least, None:
            return f" (at least {least} {what})"
        case least, most:
            return f" ({least} to {most} {what})"


def _listed(words: list[str]) -> str:
    words = list(dict.fromkeys(words))
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
