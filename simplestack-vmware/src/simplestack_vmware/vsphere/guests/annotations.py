"""Tags, which are lines of a guest's notes, as first-generation Simplestack stored them.

People write notes, too. So a change touches one line, and leaves all others as they are.
"""

import re

_LINE = re.compile(r"[^\n]*\n|[^\n]+")


def tags_in(notes: str) -> list[str]:
    """Return the tags in notes, sorted: the lines, without blank ones."""
    return sorted({line.strip() for line in _LINE.findall(notes)} - {""})


def with_tag(notes: str, tag: str) -> str:
    """Return notes with a line for a tag, at the end."""
    if tag in tags_in(notes):
        return notes
    return f"{notes}\n{tag}" if notes else tag


def without_tag(notes: str, tag: str) -> str:
    """Return notes without the lines of a tag."""
    kept = "".join(line for line in _LINE.findall(notes) if line.strip() != tag)
    # The line break before a last line came with it.
    return kept.removesuffix("\n").removesuffix("\r") if not notes.endswith("\n") else kept
