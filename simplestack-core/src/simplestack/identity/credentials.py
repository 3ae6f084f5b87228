"""The user name and password in a request. The password is never shown."""

import hashlib
import os
import re
from dataclasses import dataclass, field

from simplestack.errors import Unauthorized

#: Half of a surrogate pair, which UTF-8 does not have.
_SURROGATE = re.compile("[\ud800-\udfff]")
#: Random key of this process, so that a leaked digest reveals nothing about the password.
_DIGEST_KEY = os.urandom(32)


@dataclass(frozen=True, slots=True)
class Credentials:
    """User name and password for the hypervisor.

    :raises Unauthorized: one of them is none that a client could send
    """

    username: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        """Check that both can be encoded. An error from encoding them would hold the password."""
        if _SURROGATE.search(self.username) or _SURROGATE.search(self.password):
            raise Unauthorized("the user name or the password has half of a surrogate pair")

    def digest(self) -> bytes:
        """Return a keyed digest of user name and password, for the key of the session pool."""
        text = f"{self.username}\0{self.password}"
        return hashlib.blake2b(text.encode(), key=_DIGEST_KEY, digest_size=32).digest()
