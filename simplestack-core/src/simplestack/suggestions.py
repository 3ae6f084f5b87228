"""Suggestions ("did you mean") in messages about unknown names."""

import difflib
from collections.abc import Iterable

#: Longer words are not compared: they are not misspelt names, and comparing them takes long.
_MAX_COMPARED = 100


def did_you_mean(word: str, known: Iterable[str], quote: str = "'") -> str:
    """Return the end of a message that suggests the most similar known name, or an empty string.

    :param quote: the quotation mark around the name
    """
    if len(word) > _MAX_COMPARED:
        return ""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {quote}{close[0]}{quote}?" if close else ""
