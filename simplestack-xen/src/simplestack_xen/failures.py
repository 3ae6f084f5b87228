"""What XAPI refuses messages with."""

import re
from collections.abc import Sequence
from html import unescape

#: How XAPI's pages of HTTP errors name a failure: ``SR_FULL: [ 2; 1 ]``.
_IN_PAGE = re.compile(r"\b([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+): \[ (.*?) ?\]", re.DOTALL)


class XapiFailure(Exception):
    """A refusal: XAPI's code, such as ``VM_BAD_POWER_STATE``, and its parameters, all of them text."""

    def __init__(self, description: Sequence[str]) -> None:
        super().__init__(*description)
        self.code = description[0] if description else "UNKNOWN"
        self.parameters = tuple(description[1:])

    def parameter(self, position: int) -> str:
        """Return a parameter; empty where XAPI sent fewer."""
        return self.parameters[position] if position < len(self.parameters) else ""


class NoJsonRpc(Exception):
    """The host does not speak JSON-RPC."""


def failure_in(page: bytes) -> XapiFailure | None:
    """Return the failure that a page of XAPI's tells of, if it tells of one."""
    found = _IN_PAGE.search(unescape(page.decode(errors="replace")))
    if found is None:
        return None
    parameters = [part.strip() for part in found[2].split(";")] if found[2].strip() else []
    return XapiFailure([found[1], *parameters])
