"""The rows of docs/settings.md, from the comments and defaults of the settings themselves."""

import inspect
import json
import re

import msgspec

_MEMBER = re.compile(r"\A    (?P<name>[a-z_]+): ")
_COMMENT = re.compile(r"\A    #: (?P<text>.*)")


def rows(settings: type[msgspec.Struct]) -> list[str]:
    """Return a row for each member that the class itself defines: name, default, meaning."""
    defaults = {field.name: _shown(field) for field in msgspec.structs.fields(settings)}
    found: list[str] = []
    meaning: list[str] = []
    for line in inspect.getsource(settings).splitlines():
        comment, member = _COMMENT.match(line), _MEMBER.match(line)
        if comment is not None:
            meaning.append(comment["text"])
        elif member is not None:
            text = " ".join(meaning).replace("``", "`")
            found.append(f"| `{member['name']}` | {defaults[member['name']]} | {text} |")
            meaning = []
    return found


def _shown(field: msgspec.structs.FieldInfo) -> str:
    """Return a default as TOML writes it."""
    if field.default is not msgspec.NODEFAULT:
        return "" if field.default is None else f"`{json.dumps(field.default)}`"
    # A function works the default out from the machine: the comment tells.
    return f"`{json.dumps(field.default_factory())}`" if field.default_factory in {dict, list} else ""
