"""Who asks: the hypervisor's credentials, and the service's own tokens."""

import binascii
import hmac
from collections.abc import Mapping

import falcon

from simplestack.errors import Unauthorized
from simplestack.identity.credentials import Credentials
from simplestack.identity.tokens import token_hash

_TOKEN_VARIABLE = "HTTP_X_SIMPLESTACK_HYPERVISOR_TOKEN"  # noqa: S105  a header's name
#: What first-generation clients send in place of a service token.
_PLACEHOLDER = "TODO"
_HOW = "send X-Simplestack-Hypervisor-Token: base64 of user:password; `simplestack token USER` makes one"


def read_credentials(request: falcon.Request) -> Credentials:
    """Return the user and the password for the hypervisor.

    :raises Unauthorized: there are none, or they cannot be read
    """
    token = request.env.get(_TOKEN_VARIABLE)
    if not token:
        raise Unauthorized(f"there is no hypervisor token; {_HOW}")
    try:
        text = binascii.a2b_base64(token, strict_mode=True).decode()
    except (binascii.Error, ValueError):
        raise Unauthorized(f"the hypervisor token is not base64 of UTF-8 text; {_HOW}") from None
    username, colon, password = text.partition(":")
    if not colon:
        raise Unauthorized(f"the hypervisor token has no colon between user and password; {_HOW}")
    if not username or not username.isprintable() or "\0" in password:
        raise Unauthorized(f"the hypervisor token names no user, or one with control characters; {_HOW}")
    return Credentials(username, password)


class ServiceTokens:
    """The tokens that this service was told to ask for; without any, it asks for none."""

    def __init__(self, hashes: Mapping[str, str]) -> None:
        """Take the holders' names and the hashes of their tokens."""
        self._hashes = dict(hashes)

    @property
    def are_asked_for(self) -> bool:
        """Whether requests need one."""
        return bool(self._hashes)

    def holder(self, request: falcon.Request) -> str | None:
        """Return whose token the request bears; None when the service asks for none.

        :raises Unauthorized: it bears none, or one that nobody holds
        """
        if not self.are_asked_for:
            return None
        scheme, _, bearer = request.env.get("HTTP_AUTHORIZATION", "").partition(" ")
        given = bearer.strip() if scheme.lower() == "bearer" else ""
        header = request.env.get("HTTP_X_SIMPLESTACK_TOKEN", "")
        if not given and header != _PLACEHOLDER:
            given = header
        hashed = token_hash(given)
        found = None
        for name, known in self._hashes.items():
            if hmac.compare_digest(hashed, known):
                found = name
        if not given or found is None:
            raise Unauthorized("this service asks for a service token in Authorization: Bearer")
        return found
