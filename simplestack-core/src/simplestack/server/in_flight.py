"""The requests that a worker is answering, and one line in the log for each that does not end well."""

import errno
import logging
import sys
from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any

from simplestack.errors import SimplestackError
from simplestack.operations.audit import outcome_of
from simplestack.server.problems import http_problem, problem_body
from simplestack.server.request_id import HEADER, request_id_in

_log = logging.getLogger("simplestack.server")

_Environ = MutableMapping[str, Any]


class InFlight:
    """The WSGI application, with a record of the requests that it has not finished."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._running: dict[int, _Environ] = {}

    def __call__(self, environ: _Environ, start_response: Any) -> Iterable[bytes]:
        """Pass a request on to the application, and stand in for it where it fails."""
        identity = request_id_in(environ)
        key = id(environ)
        self._running[key] = environ
        try:
            chunks = self._app(environ, start_response)
        except ConnectionError as error:
            del self._running[key]
            _log.warning("request %s: the connection is closed without a response: %s", identity, error)
            raise _closed(identity) from error
        except BaseException:  # the application answers for each Exception: a plugin called sys.exit()
            _log.exception("request %s failed by a defect", identity)
            chunks = _internal_error(identity, start_response)
        return _Response(chunks, self._running, key, identity)

    def request_ids(self) -> list[str]:
        """Return the ids of the requests whose responses have not been sent to the end."""
        return [request_id_in(environ) for environ in list(self._running.values())]


class _Response:
    """A response's chunks. The server closes it when the last one is sent, or when sending fails."""

    __slots__ = ("_chunks", "_ended", "_identity", "_key", "_next", "_running", "_sent_bytes")

    def __init__(
        self, chunks: Iterable[bytes], running: dict[int, _Environ], key: int, identity: str
    ) -> None:
        self._chunks = chunks
        self._next = iter(chunks).__next__
        self._running = running
        self._key = key
        self._identity = identity
        self._sent_bytes = 0
        self._ended = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            chunk = self._next()
        except StopIteration:
            self._ended = True
            raise
        except BaseException as error:
            self._ended = True
            self._report(error)
            # The server closes the connection for it, without the end of a chunked response.
            raise _closed(self._identity) from error
        self._sent_bytes += len(chunk)
        return chunk

    def close(self) -> None:
        """End the request."""
        self._running.pop(self._key, None)
        if not self._ended:
            _log.info(
                "request %s: the client went away after %d bytes of the response",
                self._identity,
                self._sent_bytes,
            )
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()

    def _report(self, error: BaseException) -> None:
        broken = "request %s: the response broke off after %d bytes"
        outcome = outcome_of(error)
        if outcome == SimplestackError.name:
            _log.error(broken + " by a defect", self._identity, self._sent_bytes, exc_info=error)
        else:
            _log.warning(broken + ": %s: %s", self._identity, self._sent_bytes, outcome, error)


def _closed(identity: str) -> ConnectionResetError:
    """Return what gunicorn takes for a client that went away: it closes the connection and logs nothing."""
    return ConnectionResetError(errno.ECONNRESET, f"request {identity} has no more response")


def _internal_error(identity: str, start_response: Any) -> list[bytes]:
    body = problem_body(*http_problem(500), identity)
    headers = [("Content-Type", "application/json"), (HEADER, identity), ("Content-Length", str(len(body)))]
    start_response("500 Internal Server Error", headers, sys.exc_info())
    return [body]
