"""Check the files that the settings of plugins name: fields of the types ReadableFile and PrivateFile."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args

from msgspec import Meta, Struct
from msgspec.structs import fields


class FileFindings(NamedTuple):
    """What is wrong with the files in some settings."""

    #: Files that the service cannot read.
    problems: list[str]
    #: Private files that every user of the machine can read.
    warnings: list[str]


def check_files(settings: Struct, place: str, general: Struct | None = None) -> FileFindings:
    """Check the files in a table of settings.

    :param place: dotted path of the table
    :param general: for the settings of a single host: the general ones, whose files are checked already
    """
    findings = FileFindings([], [])
    for field in fields(settings):
        path = getattr(settings, field.name)
        kind = next(_kinds(field.type), "")
        if not kind or not isinstance(path, str) or path == getattr(general, field.name, None):
            continue
        try:
            with Path(path).open("rb"):
                mode = Path(path).stat().st_mode
        except OSError as error:
            findings.problems.append(f"{place}.{field.encode_name}: cannot read {path}: {error.strerror}")
            continue
        if kind == "private" and mode & (stat.S_IROTH | stat.S_IWOTH):
            findings.warnings.append(
                f"{place}.{field.encode_name}: every user of this machine can read {path}: use `chmod 600`"
            )
    return findings


def _kinds(part: Any) -> Iterator[str]:
    """Yield the kinds of files in a type."""
    if isinstance(part, Meta):
        kind = (part.extra or {}).get("file", "")
        if kind:
            yield kind
    for each in get_args(part):
        yield from _kinds(each)
