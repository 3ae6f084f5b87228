"""Wording of messages in all packages."""


def one_line(text: str) -> str:
    """Return text without line breaks and without what no JSON can have: it may quote names from anywhere."""
    return " ".join(text.encode(errors="replace").decode().split())


def uncapitalized(text: str) -> str:
    """Return text with its first letter in lower case."""
    return f"{text[:1].lower()}{text[1:]}"
