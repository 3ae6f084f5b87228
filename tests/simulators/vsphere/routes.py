"""HTTP paths besides SOAP: ``@route("GET", "/folder/")`` adds one, for all paths that begin so.

The function gets the `Handler`, reads the request from it, and sends the response with it.
"""

from collections.abc import Callable
from typing import Any

#: Takes the `Handler`.
Route = Callable[[Any], None]
_ROUTES: dict[tuple[str, str], Route] = {}


def route(command: str, prefix: str) -> Callable[[Route], Route]:
    """Register what answers an HTTP method for paths with a prefix."""

    def register(found: Route) -> Route:
        _ROUTES[command, prefix] = found
        return found

    return register


def find(command: str, path: str) -> Route | None:
    """Return what answers an HTTP method for a path: the longest prefix's."""
    found = [key for key in _ROUTES if key[0] == command and path.startswith(key[1])]
    return _ROUTES[max(found, key=lambda key: len(key[1]))] if found else None
