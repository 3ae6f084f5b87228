"""Docstrings and comments of the sources as data, for the OpenAPI document and the reference pages.

Hookspecs have docstrings, and fields of structs have ``#:`` comments.
"""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from msgspec import Struct

_SECTION = re.compile(r"^:(?P<kind>param|returns?|raises)(?: (?P<name>[\w.]+))?: ?", re.MULTILINE)
_ROLE = re.compile(r":[a-z]+:`~?(?:[\w.]+\.)?(\w+)`")
_COMMENT = re.compile(r"\A    #: ?(?P<text>.*)")
_FIELD = re.compile(r"\A    (?P<name>[a-z]\w*)\s*:")


@dataclass(frozen=True, slots=True)
class Docstring:
    """The parts of a docstring, in Markdown."""

    #: The first paragraph.
    summary: str
    #: The paragraphs between the summary and the first ``:param:``, ``:returns:`` or ``:raises:``.
    description: str
    #: Meaning of each parameter, by name.
    parameters: dict[str, str] = field(default_factory=dict)
    returns: str = ""
    #: When each exception is raised, by class name.
    raises: dict[str, str] = field(default_factory=dict)


def read_docstring(documented: Callable[..., Any] | type | ModuleType) -> Docstring:
    """Split the docstring of a function, a class or a module into its parts.

    :raises ValueError: there is no docstring
    """
    text = inspect.getdoc(documented)
    if not text:
        raise ValueError(f"{documented.__name__} has no docstring")
    sections = list(_SECTION.finditer(text))
    prose = text[: sections[0].start()] if sections else text
    summary, _, description = prose.partition("\n\n")
    parameters: dict[str, str] = {}
    raises: dict[str, str] = {}
    returns = ""
    ends = [*(section.start() for section in sections[1:]), len(text)]
    for section, end in zip(sections, ends, strict=False):  # without sections there is an end, but no section
        meaning = markdown(text[section.end() : end])
        match section["kind"]:
            case "param":
                parameters[section["name"]] = meaning
            case "raises":
                raises[section["name"]] = meaning
            case _:
                returns = meaning
    return Docstring(markdown(summary), markdown(description), parameters, returns, raises)


def field_comments(kind: type) -> dict[str, str]:
    """Return the ``#:`` comments of a struct's fields by field name, including inherited fields."""
    comments: dict[str, str] = {}
    for owner in reversed(kind.__mro__):
        if issubclass(owner, Struct) and owner is not Struct:
            comments |= _own_comments(owner)
    return comments


def _own_comments(kind: type) -> dict[str, str]:
    comments: dict[str, str] = {}
    comment: list[str] = []
    for line in inspect.getsource(kind).splitlines():
        if text := _COMMENT.match(line):
            comment.append(text["text"])
        elif declaration := _FIELD.match(line):
            if comment:
                comments[declaration["name"]] = markdown(" ".join(comment))
            comment = []
    return comments


def markdown(text: str) -> str:
    """Convert the sources' reStructuredText to Markdown, with each paragraph on one line."""
    text = _ROLE.sub(r"``\1``", inspect.cleandoc(text)).replace("``", "`")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n")).strip()
