"""The requests in flight of a worker. Each failed request gets one line in the log."""

import errno
import logging
import sys
from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any

from simplestack.dispatch.audit import outcome_of
from simplestack.errors import SimplestackError
from simplestack.server.client_socket import ClientSocket
from simplestack.server.problems import http_problem, problem_body
from simplestack.server.request_id import HEADER, request_id_in

_log = logging.getLogger("simplestack.server")


class InFlight:
    """Wraps the WSGI application and records unfinished requests."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._running: dict[int, _Response] = {}

    def __call__(self, environ: MutableMapping[str, Any], start_response: Any) -> Iterable[bytes]:
        """Call the application. If it raises, return a response for it."""
        identity = request_id_in(environ)
        response = _Response(self._running, identity, environ["gunicorn.socket"], start_response)
        try:
            response.set_chunks(self._app(environ, response.start))
        except ConnectionError as error:
            response.forget()
            _log.warning(
                "request %s: the connection is closed without a response: %s",
                identity,
                error,
                extra={"request_id": identity},
            )
            raise _closed(identity) from error
        except BaseException:  # the application handles each Exception; a plugin may call sys.exit()
            _log.exception("request %s failed: unexpected error", identity, extra={"request_id": identity})
            response.set_chunks(_internal_error(identity, start_response))
        return response

    def request_ids(self) -> list[str]:
        """Return the IDs of the requests without a complete response."""
        return [response.identity for response in list(self._running.values())]


class _Response:
    """The chunks of a response. The server closes it after the last chunk, or when sending fails."""

    __slots__ = (
        "_announced_bytes",
        "_chunks",
        "_client",
        "_ended",
        "_next",
        "_running",
        "_sent_bytes",
        "_start_response",
        "identity",
    )

    def __init__(
        self, running: "dict[int, _Response]", identity: str, client: ClientSocket, start_response: Any
    ) -> None:
        self.identity = identity
        self._client = client
        client.request_id = identity
        self._start_response = start_response
        self._sent_bytes = 0
        self._announced_bytes: int | None = None
        self._ended = False
        self._running = running
        running[id(self)] = self

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        """Record the Content-Length: WSGI's ``start_response``."""
        for name, value in headers:
            if name.lower() == "content-length":
                self._announced_bytes = int(value)
        return self._start_response(status, headers, exc_info)

    def set_chunks(self, chunks: Iterable[bytes]) -> None:
        """Set the chunks that the application returned."""
        self._chunks = chunks
        self._next = iter(chunks).__next__
        if type(chunks) is list:  # complete, or without a body (HEAD)
            self._announced_bytes = None
            self._client.sends_last = len(chunks) == 1

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            chunk = self._next()
            if type(chunk) is not bytes:
                raise TypeError(f"a chunk of the response is {type(chunk).__name__}, not bytes")  # noqa: TRY301  as any other error
        except StopIteration:
            self._ended = True
            if self._announced_bytes is None or self._sent_bytes >= self._announced_bytes:
                raise
            error = EOFError(f"{self._announced_bytes} bytes were announced")
            self._report(error)
            raise _closed(self.identity) from error
        except BaseException as error:
            self._ended = True
            self._report(error)
            # The server closes the connection without the end of a chunked response.
            raise _closed(self.identity) from error
        self._sent_bytes += len(chunk)
        return chunk

    def close(self) -> None:
        """End the request."""
        self.forget()
        if not self._ended:
            reason = self._client.failure
            _log.info(
                "request %s: the client %s after %d bytes of the response%s",
                self.identity,
                "was cut off" if reason else "disconnected",
                self._sent_bytes,
                reason and f": {reason}",
                extra={"request_id": self.identity},
            )
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()

    def forget(self) -> None:
        """Remove the request from the record."""
        self._running.pop(id(self), None)

    def _report(self, error: BaseException) -> None:
        outcome = outcome_of(error)
        is_unexpected = outcome == SimplestackError.name
        _log.log(
            logging.ERROR if is_unexpected else logging.WARNING,
            "request %s: the response broke off after %d bytes: %s",
            self.identity,
            self._sent_bytes,
            "unexpected error" if is_unexpected else f"{outcome}: {error}",
            exc_info=error if is_unexpected else None,
            extra={"request_id": self.identity},
        )


def _closed(identity: str) -> ConnectionResetError:
    """Return the error of a disconnected client: gunicorn closes the connection and logs nothing."""
    return ConnectionResetError(errno.ECONNRESET, f"the response to request {identity} ends here")


def _internal_error(identity: str, start_response: Any) -> list[bytes]:
    body = problem_body(*http_problem(500), identity)
    headers = [("Content-Type", "application/json"), (HEADER, identity), ("Content-Length", str(len(body)))]
    start_response("500 Internal Server Error", headers, sys.exc_info())
    return [body]
