"""The ID of a request, in its response and its log lines."""

import random
import re
from collections.abc import MutableMapping
from typing import Any

import falcon

HEADER = "X-Request-Id"
_VALID = re.compile(r"\A[A-Za-z0-9._~+/=:-]{1,128}\Z")


def request_id(request: falcon.Request) -> str:
    """Return the ID of a request: the client's if it is valid, otherwise a new one."""
    return request_id_in(request.env)


def request_id_in(environ: MutableMapping[str, Any]) -> str:
    """Return the ID of the request with this WSGI environment."""
    known: str | None = environ.get("simplestack.request_id")
    if known is None:
        given = environ.get("HTTP_X_REQUEST_ID", "")
        known = given if _VALID.match(given) else new_request_id()
        environ["simplestack.request_id"] = known
    return known


def new_request_id() -> str:
    """Return a random ID of 128 bits. It need not be secret. Python reseeds the generator after a fork."""
    return f"{random.getrandbits(128):032x}"
