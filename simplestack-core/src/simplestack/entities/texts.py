"""Check text that names something: an ID in a path, or an argument of a hook."""

from collections.abc import Mapping
from typing import Any

import msgspec

from simplestack.entities.limits import CONTROL_CHARACTER
from simplestack.errors import InvalidArguments

MAX_ID_LENGTH = 1024


def check_text(text: str, place: str) -> None:
    """Check the length and the characters of an ID or a name.

    :param place: what the message calls it, such as ``'a%00b' in the path``
    :raises InvalidArguments: it is too long, or has control characters, or half of a surrogate pair, which
        neither JSON nor a host can have
    """
    if CONTROL_CHARACTER.search(text) or len(text) > MAX_ID_LENGTH:
        raise InvalidArguments(f"{place} has more than {MAX_ID_LENGTH} characters, or control characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidArguments(
            f"{place} has half of a surrogate pair: use IDs from responses unchanged"
        ) from None


def check_texts(arguments: Mapping[str, Any]) -> None:
    """Check the IDs and names among the arguments of a hook.

    :raises InvalidArguments: one of them is none that a client could send
    """
    for name, value in arguments.items():
        if isinstance(value, str):
            check_text(value, f"`{name}`: {value[:100]!r}")
        elif isinstance(value, msgspec.Struct):
            try:
                msgspec.json.encode(value)
            except UnicodeEncodeError:  # whose own message has the text, which may be secret
                raise InvalidArguments(f"`{name}` has half of a surrogate pair in a field") from None
