"""The response header with the warnings of a successful operation."""

import string
from collections.abc import Sequence
from urllib.parse import quote

WARNING_HEADER = "X-Simplestack-Warning"
#: Proxies limit the size of all headers, often to 4 or 8 KiB.
_MAX_LENGTH = 3000
#: Characters that are not encoded, besides letters and digits. `;` separates warnings.
_SAFE = "".join(set(string.punctuation) - {"%", ";"}) + " "
_REST = "... (the audit log has the rest)"


def warning_header(warnings: Sequence[str]) -> str:
    """Return the value of the header, percent-encoded and limited in length."""
    text = "; ".join(quote(warning, safe=_SAFE) for warning in warnings)
    if len(text) <= _MAX_LENGTH:
        return text
    # Not in the middle of an encoded byte.
    return text[:_MAX_LENGTH].rsplit("%", 1)[0] + _REST
