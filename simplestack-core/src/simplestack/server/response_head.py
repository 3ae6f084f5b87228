"""Responses without the ``Server`` header, which names the software that an attacker looks for."""

from gunicorn.http import wsgi


class NamelessResponse(wsgi.Response):
    """A response of gunicorn without the ``Server`` header. Gunicorn has no setting for it."""

    def default_headers(self) -> list[str]:
        """Return the status line and the headers of the connection."""
        return [line for line in super().default_headers() if not line.startswith("Server:")]


def omit_server_header() -> None:
    """Make gunicorn respond in this process without the ``Server`` header."""
    wsgi.Response = NamelessResponse  # type: ignore[misc]  # `wsgi.create` takes the class from there
