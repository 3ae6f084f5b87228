"""What the sources say of themselves, for the documents that are made from them.

Hookspecs have docstrings, members of structs have ``#:`` comments. Both are written once, where a reader of
the code wants them, and the OpenAPI document and the reference pages show them.
"""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from msgspec import Struct

_FIELD = re.compile(r"^:(?P<kind>param|returns?|raises)(?: (?P<name>[\w.]+))?: ?", re.MULTILINE)
_ROLE = re.compile(r":[a-z]+:`~?(?:[\w.]+\.)?(\w+)`")
_COMMENT = re.compile(r"\A    #: ?(?P<text>.*)")
_MEMBER = re.compile(r"\A    (?P<name>[a-z]\w*)\s*:")


@dataclass(frozen=True, slots=True)
class Docstring:
    """A docstring, taken apart. All texts are Markdown."""

    #: Its first sentence or paragraph.
    summary: str
    #: What follows, up to the first field.
    description: str
    #: What each parameter means, by its name.
    parameters: dict[str, str] = field(default_factory=dict)
    returns: str = ""
    #: When each exception is raised, by its class's name.
    raises: dict[str, str] = field(default_factory=dict)


def read_docstring(documented: Callable[..., Any] | type | ModuleType) -> Docstring:
    """Take the docstring of a function or a class apart.

    :raises ValueError: it has none
    """
    text = inspect.getdoc(documented)
    if not text:
        raise ValueError(f"{documented.__name__} has no docstring")
    fields = list(_FIELD.finditer(text))
    prose = text[: fields[0].start()] if fields else text
    summary, _, description = prose.partition("\n\n")
    parameters: dict[str, str] = {}
    raises: dict[str, str] = {}
    returns = ""
    ends = [*(found.start() for found in fields[1:]), len(text)]
    for found, end in zip(fields, ends, strict=False):  # a docstring without fields has an end all the same
        meaning = markdown(text[found.end() : end])
        match found["kind"]:
            case "param":
                parameters[found["name"]] = meaning
            case "raises":
                raises[found["name"]] = meaning
            case _:
                returns = meaning
    return Docstring(markdown(summary), markdown(description), parameters, returns, raises)


def member_comments(kind: type) -> dict[str, str]:
    """Return the ``#:`` comments of a struct's members, those that it inherits included, by member."""
    found: dict[str, str] = {}
    for owner in reversed(kind.__mro__):
        if issubclass(owner, Struct) and owner is not Struct:
            found |= _own_comments(owner)
    return found


def _own_comments(kind: type) -> dict[str, str]:
    found: dict[str, str] = {}
    comment: list[str] = []
    for line in inspect.getsource(kind).splitlines():
        if text := _COMMENT.match(line):
            comment.append(text["text"])
        elif member := _MEMBER.match(line):
            if comment:
                found[member["name"]] = markdown(" ".join(comment))
            comment = []
    return found


def markdown(text: str) -> str:
    """Return reStructuredText of the kind that the sources use as Markdown, paragraphs on a line each."""
    text = _ROLE.sub(r"``\1``", inspect.cleandoc(text)).replace("``", "`")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n")).strip()
