"""XAPI's pages of HTTP errors, which name a failure."""

import re
from html import unescape

from simplestack_xen.sdk import XenAPI

#: Format of an error in XAPI's HTTP error pages: ``SR_FULL: [ 2; 1 ]``.
_IN_PAGE = re.compile(r"\b([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+): \[ (.*?) ?\]", re.DOTALL)


def failure_in(page: bytes) -> "XenAPI.Failure | None":
    """Return the error in an HTTP error page of XAPI, if there is one."""
    match = _IN_PAGE.search(unescape(page.decode(errors="replace")))
    if match is None:
        return None
    parameters = [part.strip() for part in match[2].split(";")] if match[2].strip() else []
    return XenAPI.Failure([match[1], *parameters])
