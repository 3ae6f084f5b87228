"""Wording that messages of all layers share."""


def uncapitalized(text: str) -> str:
    """Return text with its first letter in lower case."""
    return f"{text[:1].lower()}{text[1:]}"
