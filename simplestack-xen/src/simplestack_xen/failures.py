"""What XAPI refuses messages with."""

from collections.abc import Sequence


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
