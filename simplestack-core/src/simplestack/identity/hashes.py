"""Find the hashes of tokens and passwords in settings."""

from typing import Any

#: What `simplestack service-token` and `simplestack hash-password` print.
_PREFIXES = ("sha256$", "scrypt$")


def has_hashes(settings: Any) -> bool:
    """Return whether tables, lists or texts of settings have the hash of a token or of a password."""
    if isinstance(settings, dict):
        return any(map(has_hashes, settings.values()))
    if isinstance(settings, list):
        return any(map(has_hashes, settings))
    return isinstance(settings, str) and settings.startswith(_PREFIXES)
