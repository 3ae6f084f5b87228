"""Wording of messages in all packages."""

#: Maximum length of a client's message in a log line: it may contain long text from a client.
_MAX_LOGGED_LENGTH = 300


def one_line(text: str) -> str:
    """Return text without line breaks and without what no JSON can have: it may quote names from anywhere."""
    return " ".join(text.encode(errors="replace").decode().split())


def shortened_line(text: str) -> str:
    """Return text as :func:`one_line` does, shortened for a log line."""
    line = one_line(text)
    return line if len(line) <= _MAX_LOGGED_LENGTH else f"{line[:_MAX_LOGGED_LENGTH]}..."


def printable(text: str) -> str:
    """Return text with escapes for what is not printable: line breaks, control and direction characters."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def uncapitalized(text: str) -> str:
    """Return text with its first letter in lower case."""
    return f"{text[:1].lower()}{text[1:]}"
