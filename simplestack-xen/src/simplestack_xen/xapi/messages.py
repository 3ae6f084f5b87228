"""XAPI's messages as attributes, as in scripts for XenServer's SDK."""

import re
from collections.abc import Callable
from typing import Any

from simplestack import HttpsRequest

_READS = re.compile(r"event\.from|\w+\.get_\w+")
#: Messages that have no further effect when they are repeated. VM.set_is_a_template is not one of them: XAPI
#: rejects it for a guest that is not a template.
_SETS = re.compile(
    r"session\.logout|task\.(cancel|destroy)"
    r"|\w+\.(set_(?!is_a_template$)\w+|add_tags|remove_tags|remove_from_\w+)"
)


def is_read(message: str) -> bool:
    """Return whether a message changes nothing."""
    return _READS.fullmatch(message) is not None


def is_repeatable(message: str) -> bool:
    """Return whether a message may be repeated if the connection breaks before its response."""
    return is_read(message) or _SETS.fullmatch(message) is not None


def request(message: str, path: str, body: bytes, content_type: str) -> HttpsRequest:
    """Return the request that sends a message.

    :param message: the name of the message in the body
    """
    headers = {"Content-Type": content_type, "User-Agent": "simplestack"}
    return HttpsRequest(
        message, path, body, headers, is_read=is_read(message), is_repeatable=is_repeatable(message)
    )


class Messages:
    """XAPI's messages: ``messages.VM.add_tags(ref, name)`` sends ``VM.add_tags``."""

    __slots__ = ("_name", "_send")

    def __init__(self, send: Callable[..., Any], name: str = "") -> None:
        """Create the root, which has no name, or a class or a message below it.

        :param send: called with the name of the message and its parameters
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
