"""The requests that a worker is answering, so that the log can name those that do not end well."""

from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any

from simplestack.server.request_id import request_id_in

_Environ = MutableMapping[str, Any]


class InFlight:
    """The WSGI application, with a record of the requests that it has not finished."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._running: dict[int, _Environ] = {}

    def __call__(self, environ: _Environ, start_response: Any) -> Iterable[bytes]:
        """Pass a request on to the application."""
        request_id_in(environ)
        key = id(environ)
        self._running[key] = environ
        try:
            return _Response(self._app(environ, start_response), self._running, key)
        except BaseException:
            del self._running[key]
            raise

    def request_ids(self) -> list[str]:
        """Return the ids of the requests whose responses have not been sent to the end."""
        return [request_id_in(environ) for environ in list(self._running.values())]


class _Response:
    """A response's chunks. The server closes it when the last one is sent, or when sending fails."""

    __slots__ = ("_chunks", "_key", "_next", "_running")

    def __init__(self, chunks: Iterable[bytes], running: dict[int, _Environ], key: int) -> None:
        self._chunks = chunks
        self._next = iter(chunks).__next__
        self._running = running
        self._key = key

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return self._next()

    def close(self) -> None:
        """End the request."""
        self._running.pop(self._key, None)
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()
