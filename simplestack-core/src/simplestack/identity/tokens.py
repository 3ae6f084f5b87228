"""Service tokens. They are random, so a fast hash is as safe as a slow one."""

import hashlib
import re
import secrets

_HASH = re.compile(r"\Asha256\$[0-9a-f]{64}\Z")


def new_token() -> str:
    """Return a token of 256 random bits."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """Return a token's hash for the settings: ``sha256$HEX``."""
    return f"sha256${hashlib.sha256(token.encode('utf-8', 'surrogateescape')).hexdigest()}"


def check_token_hash(hashed: str) -> None:
    """Check that `hashed` is a hash from `token_hash`.

    :raises ValueError: it is not
    """
    if not _HASH.match(hashed):
        raise ValueError("not a hash from `simplestack service-token`")
