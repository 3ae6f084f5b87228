"""The response header with the warnings of a successful operation."""

import re
import string
from collections.abc import Sequence
from urllib.parse import quote, unquote

WARNING_HEADER = "X-Simplestack-Warning"
#: Proxies limit the size of all headers, often to 4 or 8 KiB.
_MAX_LENGTH = 3000
#: Characters that are not encoded, besides letters and digits. `;` separates warnings.
_SAFE = "".join(set(string.punctuation) - {"%", ";"}) + " "
_PART_OF_BYTE = re.compile(r"%[0-9A-F]?\Z")
_REST = "... (the audit log has the rest)"


def warning_header(warnings: Sequence[str]) -> str:
    """Return the value of the header, percent-encoded and limited in length."""
    text = "; ".join(quote(warning, safe=_SAFE) for warning in warnings)
    if len(text) <= _MAX_LENGTH:
        return text
    return _whole_characters(text[:_MAX_LENGTH]) + _REST


def _whole_characters(text: str) -> str:
    """Return percent-encoded text without the first part of a character at its end."""
    text = _PART_OF_BYTE.sub("", text)
    while True:
        try:
            unquote(text, errors="strict")
        except UnicodeDecodeError:
            text = text[: -len("%00")]
        else:
            return text
