"""XAPI's messages by the names that its documentation has, as scripts for XenServer's SDK write them."""

import re
from collections.abc import Callable
from typing import Any

_READS = re.compile(r"event\.from|\w+\.get_\w+")
#: Messages that have no further effect when they come a second time. VM.set_is_a_template is none of them:
#: XAPI refuses to make a guest of what is one already.
_SETS = re.compile(
    r"session\.logout|task\.(cancel|destroy)"
    r"|\w+\.(set_(?!is_a_template$)\w+|add_tags|remove_tags|remove_from_\w+)"
)


def is_read(message: str) -> bool:
    """Tell whether a message changes nothing."""
    return _READS.fullmatch(message) is not None


def is_repeatable(message: str) -> bool:
    """Tell whether a message may be sent once more when the connection breaks before it is answered."""
    return is_read(message) or _SETS.fullmatch(message) is not None


class Messages:
    """XAPI's messages: ``messages.VM.add_tags(ref, name)`` sends ``VM.add_tags``."""

    __slots__ = ("_name", "_send")

    def __init__(self, send: Callable[..., Any], name: str = "") -> None:
        """Make the root, which has no name, or one of the classes or messages below it.

        :param send: gets the message's name, then what the message is called with
        """
        self._send = send
        self._name = name

    def __getattr__(self, name: str) -> "Messages":
        return Messages(self._send, f"{self._name}.{name}" if self._name else name)

    def __call__(self, *parameters: Any, **options: Any) -> Any:
        """Send the message."""
        return self._send(self._name, *parameters, **options)

    def __str__(self) -> str:
        return self._name
