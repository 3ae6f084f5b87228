"""The response header that carries the warnings of an operation that succeeded."""

import string
from collections.abc import Sequence
from urllib.parse import quote

WARNING_HEADER = "X-Simplestack-Warning"
#: Proxies limit all headers together, often to 4 or 8 KiB.
_MAX_LENGTH = 3000
#: Besides letters and digits. `;` stands between warnings, and so is encoded in them.
_SAFE = "".join(set(string.punctuation) - {"%", ";"}) + " "
_REST = "... (the audit log has the rest)"


def warning_header(warnings: Sequence[str]) -> str:
    """Return the header's value: percent-encoded, since names may hold any character, and bounded."""
    text = "; ".join(quote(warning, safe=_SAFE) for warning in warnings)
    if len(text) <= _MAX_LENGTH:
        return text
    # Not in the middle of an encoded byte.
    return text[:_MAX_LENGTH].rsplit("%", 1)[0] + _REST
