"""What XAPI's HTTP server answers outside of calls: heads without a length, and pages of errors."""

_NO_CACHE = "Cache-Control: no-cache, no-store"


def head(status: str, *headers: str, version: str = "1.1") -> bytes:
    """Return the head of an answer whose end is that of the connection."""
    lines = (f"HTTP/{version} {status}", "Connection: close", _NO_CACHE, *headers)
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def unauthorised(realm: str) -> bytes:
    """Return what somebody gets who is not logged in."""
    text = "<h1>HTTP 401 unauthorised</h1>Please check your credentials and retry."
    return _page("401 Unauthorised", text, f'WWW-Authenticate: Basic realm="{realm}"')


def forbidden() -> bytes:
    """Return what somebody gets who may not."""
    return _page("403 Forbidden", "<h1>HTTP 403 forbidden</h1>Access to the requested resource is forbidden.")


def missing() -> bytes:
    """Return what there is where nothing is."""
    return _page("404 Not Found", "<h1>HTTP 404 not found</h1>")


def internal_error(more: str) -> bytes:
    """Return what an error becomes: a page with its text."""
    text = (
        "<h1>HTTP 500 internal server error</h1>An unexpected error occurred; please wait a while and try "
        "again. If the problem persists, please contact your support representative."
        f"<h1> Additional information </h1>{more}"
    )
    return _page("500 Internal Error", text)


def not_implemented(method: str) -> bytes:
    """Return what becomes of a method that there is not."""
    return _page(
        "501 Method not implemented",
        f"<h1>HTTP 501 Method Not Implemented</h1><p>{method} not supported.<br /></p>",
    )


def _page(status: str, text: str, *headers: str) -> bytes:
    body = f"<html><body>{text}</body></html>".encode()
    return head(status, "content-type: text/html", *headers, f"content-length: {len(body)}") + body
