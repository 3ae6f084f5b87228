"""Names of an archive's members."""

import posixpath
from urllib.parse import unquote

from simplestack.errors import InvalidArguments

MAX_NAME_BYTES = 255
#: A chunk's number has nine digits (DSP0243, 7.1).
_CHUNK_DIGITS = 9


def check_href(href: str) -> str:
    """Return a name from a descriptor if a member of the same archive can have it.

    :raises InvalidArguments: it is a path, a URL, or no name at all
    """
    for name in (href, unquote(href)):
        is_plain = name not in ("", ".", "..") and name.isprintable() and not set("/\\:") & set(name)
        if not is_plain or len(name.encode(errors="replace")) > MAX_NAME_BYTES:
            raise InvalidArguments(
                f"the OVF descriptor names a file outside of the archive: {href[:80]!r}; put all files into "
                "the archive, without folders"
            )
    return href


def spellings(href: str) -> tuple[str, str]:
    """Return the names of the archive's members that a descriptor's name means: some write it as in a URL."""
    return href, unquote(href)


def names_member(href: str, member: str) -> bool:
    """Tell whether a descriptor's name means a member of the archive."""
    return posixpath.normpath(member) in spellings(href)


def chunk_name(href: str, number: int) -> str:
    """Return the name of a chunk of a file that is split.

    :param number: counts from 0
    """
    return f"{href}.{number:0{_CHUNK_DIGITS}}"
