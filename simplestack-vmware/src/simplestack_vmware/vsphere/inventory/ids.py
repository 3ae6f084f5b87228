"""Managed object IDs as IDs in URLs.

vCenter's are like ``network-12``. Those of a lone ESXi host have names and paths in them, such as
``HaNetwork-VM Network``: what is not URL-safe becomes ``~`` and two hexadecimal digits.
"""

import re
from urllib.parse import quote, unquote

_ESCAPE = re.compile("~([0-9A-F]{2})")


def to_url(moid: str) -> str:
    """Return the ID for URLs."""
    return quote(moid, safe="").replace("~", "~7E").replace("%", "~")


def from_url(text: str) -> str:
    """Return the managed object ID. Text that is no such ID is returned as it is, or nearly."""
    return unquote(_ESCAPE.sub(r"%\1", text.replace("%", "~25")))
