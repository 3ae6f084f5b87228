"""Check request paths before routing."""

import re
from urllib.parse import urlsplit

import falcon

from simplestack.errors import InvalidArguments
from simplestack.server.problems import HttpProblem

#: A segment that HTTP clients and proxies resolve, percent-encoded or not.
_DOTS = re.compile(r"/((?:\.|%2e){1,2})(?=/|\Z)", re.IGNORECASE)
_SHOWN_CHARACTERS = 200


class RawPath:
    """Middleware that routes by the undecoded path: an encoded slash belongs to its segment."""

    def process_request(self, request: falcon.Request, _response: falcon.Response) -> None:
        """Set the undecoded path, and check it."""
        raw = request.env.get("RAW_URI")
        if raw is not None:
            path = raw.partition("?")[0] if raw.startswith("/") else urlsplit(raw).path
            request.path = path.removeprefix(request.env.get("SCRIPT_NAME", "").rstrip("/")) or "/"
        request.path = checked_path(request.path, request.method)


def checked_path(path: str, method: str) -> str:
    """Return the path for routing.

    Only for GET and HEAD, a slash at the end is dropped. Some clients turn `DELETE /guests/ID/tags/..` into
    `DELETE /guests/ID/`, which must not delete the guest.

    :raises InvalidArguments: a segment is ``.`` or ``..``
    :raises HttpProblem: it does not begin with a slash, or a segment is empty
    """
    if not path.startswith("/"):  # falcon would route `_x` like `/_x`, which only some clients may see
        raise HttpProblem(404, f"no operation has this path: {_shown(path)!r} does not start with a slash")
    dots = _DOTS.search(path)
    if dots is not None:
        raise InvalidArguments(
            f"{dots[1]!r} in the path is not an ID, a name or a host: many HTTP clients would resolve it "
            "and send another path; use IDs from responses unchanged"
        )
    if "//" in path:
        raise HttpProblem(
            404, f"no operation has this path: {_shown(path)!r} has an empty segment; is an ID missing?"
        )
    if path == "/" or not path.endswith("/"):
        return path
    if method not in ("GET", "HEAD"):
        raise HttpProblem(
            404,
            f"no operation has this path: {_shown(path)!r} ends with a slash, which only GET and HEAD "
            f"requests may; did you mean {method} {_shown(path[:-1])}?",
        )
    return path[:-1]


def _shown(path: str) -> str:
    return path if len(path) <= _SHOWN_CHARACTERS else f"{path[:_SHOWN_CHARACTERS]}..."
