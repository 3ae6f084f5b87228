"""The user and password of a request: shown nowhere, compared in constant time."""

import hashlib
import os
from dataclasses import dataclass, field

#: Lives as long as the process: a digest that leaks into a dump says nothing about the password.
_DIGEST_KEY = os.urandom(32)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the client authenticates with at the hypervisor."""

    username: str
    password: str = field(repr=False)

    def digest(self) -> bytes:
        """Return a keyed digest of user and password, the pool's key."""
        text = f"{self.username}\0{self.password}"
        return hashlib.blake2b(text.encode(), key=_DIGEST_KEY, digest_size=32).digest()
