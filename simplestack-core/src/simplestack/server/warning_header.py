"""The response header that carries the warnings of an operation that succeeded."""

import string
from collections.abc import Sequence
from urllib.parse import quote

WARNING_HEADER = "X-Simplestack-Warning"
#: Proxies limit all headers together, often to 4 or 8 KiB, and an encoded byte takes three characters.
_MAX_BYTES = 1000
_SAFE = string.punctuation.replace("%", "") + " "


def warning_header(warnings: Sequence[str]) -> str:
    """Return the header's value: percent-encoded, since names may hold any character, and bounded."""
    text = "; ".join(warnings)
    if len(encoded := text.encode()) > _MAX_BYTES:
        text = encoded[:_MAX_BYTES].decode(errors="ignore") + "... (the audit log has the rest)"
    return quote(text, safe=_SAFE)
