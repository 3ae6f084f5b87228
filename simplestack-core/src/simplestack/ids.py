"""IDs that clients send."""

import re

_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def is_uuid(text: str) -> bool:
    """Return whether a text is a UUID with hyphens, in upper or lower case.

    Check an ID before you give it to an SDK: SDKs fail in different ways for other texts.
    """
    return _UUID.fullmatch(text) is not None
