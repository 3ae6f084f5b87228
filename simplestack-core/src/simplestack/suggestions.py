"""Suggestions in messages about misspelt names."""

import difflib
from collections.abc import Iterable

#: A longer word is no misspelt name, and comparing it would take time.
_MAX_COMPARED = 100


def did_you_mean(word: str, known: Iterable[str], quote: str = "'") -> str:
    """Return the end of a message that suggests the closest known name; empty where none is close.

    :param quote: what the message puts around names
    """
    if len(word) > _MAX_COMPARED:
        return ""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {quote}{close[0]}{quote}?" if close else ""
