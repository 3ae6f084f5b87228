"""The id that joins a request, its response and its log lines."""

import random
import re
from collections.abc import MutableMapping
from typing import Any

import falcon

HEADER = "X-Request-Id"
_SANE = re.compile(r"\A[A-Za-z0-9._~+/=:-]{1,128}\Z")


def request_id(request: falcon.Request) -> str:
    """Return the request's id: the client's own when it is sane, else a new one; the same each time."""
    return request_id_in(request.env)


def request_id_in(environ: MutableMapping[str, Any]) -> str:
    """Return the id of the request that has this WSGI environment."""
    known: str | None = environ.get("simplestack.request_id")
    if known is None:
        given = environ.get("HTTP_X_REQUEST_ID", "")
        known = given if _SANE.match(given) else new_request_id()
        environ["simplestack.request_id"] = known
    return known


def new_request_id() -> str:
    """Return 128 random bits: unique, and no secret. The generator seeds itself anew after a fork."""
    return f"{random.getrandbits(128):032x}"
