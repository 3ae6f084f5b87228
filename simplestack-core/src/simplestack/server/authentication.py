"""Read the credentials for the hypervisor, and check service tokens."""

import binascii
import hmac
from collections.abc import Callable, Mapping

import falcon

from simplestack.errors import Unauthorized
from simplestack.identity.credentials import Credentials
from simplestack.identity.tokens import token_hash

_TOKEN_VARIABLE = "HTTP_X_SIMPLESTACK_HYPERVISOR_TOKEN"  # noqa: S105  a header's name
#: First-generation clients send this instead of a service token.
_PLACEHOLDER = "TODO"
_HOW = "send X-Simplestack-Hypervisor-Token: base64 of user:password; `simplestack token USER` makes one"


def read_credentials(request: falcon.Request) -> Credentials:
    """Return the user name and the password for the hypervisor.

    :raises Unauthorized: the header is missing or malformed
    """
    token = request.env.get(_TOKEN_VARIABLE)
    if not token:
        raise Unauthorized(f"the hypervisor token is missing; {_HOW}")
    try:
        text = binascii.a2b_base64(token, strict_mode=True).decode()
    except (binascii.Error, ValueError):
        raise Unauthorized(f"the hypervisor token is not base64 of UTF-8 text; {_HOW}") from None
    username, colon, password = text.partition(":")
    if not colon:
        raise Unauthorized(f"the hypervisor token has no colon between user and password; {_HOW}")
    if not username or not username.isprintable() or "\0" in password:
        raise Unauthorized(
            "the user name in the hypervisor token is empty or has control characters, or the password has a "
            f"NUL character; {_HOW}"
        )
    return Credentials(username, password)


class ServiceTokens:
    """The service tokens from the settings. Without any, requests need none."""

    def __init__(self, hashes: Mapping[str, str]) -> None:
        """Set the hashes of the tokens.

        :param hashes: by the name of the token's holder
        """
        self._hashes = dict(hashes)
        #: Called for each request without a valid token.
        self.on_rejected: Callable[[], object] = lambda: None

    @property
    def are_asked_for(self) -> bool:
        """Whether requests need a service token."""
        return bool(self._hashes)

    def holder(self, request: falcon.Request) -> str | None:
        """Return the holder of the request's service token; None if requests need none.

        :raises Unauthorized: the token is missing or unknown
        """
        if not self.are_asked_for:
            return None
        scheme, _, bearer = request.env.get("HTTP_AUTHORIZATION", "").partition(" ")
        has_other_scheme = scheme.lower() not in ("", "bearer")
        given = "" if has_other_scheme else bearer.strip()
        header = request.env.get("HTTP_X_SIMPLESTACK_TOKEN", "")
        if not given and header != _PLACEHOLDER:
            given = header
        hashed = token_hash(given)
        holder = None
        for name, known in self._hashes.items():
            if hmac.compare_digest(hashed, known):
                holder = name
        if holder is None:
            self.on_rejected()
        if not given:
            found = "the Authorization header is not Bearer" if has_other_scheme else "it is missing"
            raise Unauthorized(
                f"this service needs a service token, and {found}: send Authorization: Bearer TOKEN, with a "
                "token from the operator"
            )
        if holder is None:
            raise Unauthorized("the service token is unknown to this service: ask its operator for one")
        return holder
