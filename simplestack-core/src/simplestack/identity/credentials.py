"""The user name and password in a request. The password is never shown."""

import hashlib
import os
from dataclasses import dataclass, field

#: Random key of this process, so that a leaked digest reveals nothing about the password.
_DIGEST_KEY = os.urandom(32)


@dataclass(frozen=True, slots=True)
class Credentials:
    """User name and password for the hypervisor."""

    username: str
    password: str = field(repr=False)

    def digest(self) -> bytes:
        """Return a keyed digest of user name and password, for the key of the session pool."""
        text = f"{self.username}\0{self.password}"
        return hashlib.blake2b(text.encode(), key=_DIGEST_KEY, digest_size=32).digest()
