"""Characters that XML cannot contain."""

import re

#: All but those of XML 1.0 (https://www.w3.org/TR/xml/#charsets).
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def forbidden_in_xml(text: str) -> str | None:
    """Return the first character of a text that XML cannot contain, such as ``U+FFFE``, or None.

    XML cannot escape such a character either, and libraries that write XML send it as it is. Reject the text
    with `InvalidArguments` before you send it: otherwise the hypervisor rejects the whole request.

    Reference: XML 1.0, 2.2 "Characters".
    """
    found = _FORBIDDEN.search(text)
    return None if found is None else f"U+{ord(found[0]):04X}"
