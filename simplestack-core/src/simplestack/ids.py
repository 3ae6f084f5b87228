"""Ids that clients send."""

import re

_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def is_uuid(text: str) -> bool:
    """Tell whether a text is a UUID in its usual form, with hyphens, in upper or lower case.

    Many SDKs fail in their own way for other texts: ask before passing an id on.
    """
    return _UUID.fullmatch(text) is not None
