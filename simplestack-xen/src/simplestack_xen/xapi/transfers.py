"""Exports and imports over HTTP, at this host or at one to which it redirects.

https://xapi-project.github.io/xen-api/topics/import-export.html. Each transfer has its own connection. The
status is 200 before anything has been read or written; the transfer's task has the result.
"""

import contextlib
import http.client
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import NoReturn, Self
from urllib.parse import urlencode, urlsplit

from simplestack import (
    CHUNK_BYTES,
    HttpsConnection,
    HypervisorError,
    HypervisorTimeout,
    HypervisorUnavailable,
    SimplestackError,
    Target,
    TlsSocket,
)
from simplestack_xen.xapi.addresses import in_url
from simplestack_xen.xapi.pages import failure_in
from simplestack_xen.xapi.session import XenSession

#: XAPI sends its response to an upload before it reads the body. Wait for it before sending.
_HEAD_SECONDS = 5.0
_MAX_PAGE_BYTES = 64 * 1024
#: How long pieces are collected. XAPI sends a few bytes every five seconds while it reads empty disk space.
_GATHER_SECONDS = 1.0
_REDIRECTS = (HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.FOUND, HTTPStatus.TEMPORARY_REDIRECT)


class Transfer:
    """A request and its response."""

    def __init__(self, session: XenSession, target: Target, what: str) -> None:
        """Connect.

        :param what: words for error messages: ``the export``
        :raises SimplestackError: as `HttpsConnection.connect` does
        """
        self.target = target
        self.limit_seconds = session.settings.call_timeout_seconds
        self._what = what
        self._connection = HttpsConnection(target, session.settings)
        self._connection.connect()
        self._response: http.client.HTTPResponse | None = None
        #: Whether the bytes that were read together with the response's header have been returned.
        self._is_raw = False
        self._buffer = memoryview(bytearray(CHUNK_BYTES))

    @classmethod
    def download(cls, session: XenSession, what: str, path: str, query: dict[str, str]) -> Self:
        """Request a download, and return when it starts.

        :raises XenAPI.Failure: XAPI returned an error
        :raises SimplestackError: the host cannot be reached, does not respond, or redirects to a forbidden
            host
        """
        return cls._ask(session, what, "GET", f"{path}?{urlencode(query)}", None)

    @classmethod
    def upload(cls, session: XenSession, what: str, path: str, query: dict[str, str], size: int) -> Self:
        """Announce an upload, and return when the host is ready.

        :raises XenAPI.Failure: XAPI returned an error
        :raises SimplestackError: as above
        """
        return cls._ask(session, what, "PUT", f"{path}?{urlencode(query)}", size)

    @classmethod
    def _ask(cls, session: XenSession, what: str, method: str, path: str, size: int | None) -> Self:
        target = session.target
        for _ in range(2):
            transfer = cls(session, target, what)
            try:
                transfer._request(method, path, size)
                location = transfer._location()
                if location is None:
                    return transfer
                target, path = transfer._elsewhere(location)
            except BaseException:
                transfer.close()
                raise
            transfer.close()
        raise HypervisorUnavailable(f"{target} redirects {what} again, which is not followed")

    @property
    def tls(self) -> TlsSocket:
        """The socket."""
        return self._connection.tls

    def send(self, data: bytes) -> bool:
        """Send a part of an upload. Return whether the host still reads.

        :raises HypervisorTimeout: the host does not read
        :raises XenAPI.Failure: XAPI returned an error
        :raises SimplestackError: the host returned another error
        """
        if self.tls.has_input():
            if self._response is not None:
                return False  # it has closed the connection, or reports an error
            self._receive()
            if self._location() is not None:
                raise HypervisorUnavailable(
                    f"{self.target} redirected after the upload had started: try again", 1
                )
        try:
            self.tls.settimeout(self.limit_seconds)
            view, sent = memoryview(data), 0
            while sent < len(view):  # like `sendall`, but with less work per TLS record
                sent += self.tls.write(view[sent:])
        except TimeoutError as error:
            self._explain(error)
        except OSError:
            return False
        return True

    def finish(self) -> None:
        """End an upload: XAPI would wait for the rest of an incomplete one."""
        self.tls.settimeout(0)
        with contextlib.suppress(OSError):  # the host has not closed its side yet, or has disconnected
            self.tls.unwrap()

    def receive(self) -> bytes:
        """Return the next piece of a download, empty at its end: a chunk, or less if bytes arrive slowly.

        :raises HypervisorTimeout: no bytes arrive
        :raises HypervisorError: the connection broke
        """
        due = time.monotonic() + _GATHER_SECONDS
        filled = 0
        try:
            self.tls.deadline_seconds = time.monotonic() + self.limit_seconds
            self.tls.settimeout(self.limit_seconds)
            while filled < CHUNK_BYTES:
                size = self._receive_into(self._buffer[filled:])
                filled += size
                if not size or time.monotonic() > due:
                    break
        except (OSError, http.client.HTTPException) as error:
            self._explain(error)
        return bytes(self._buffer[:filled])

    def close(self) -> None:
        """Close the connection."""
        if self._response is not None:
            self._response.close()
        self._connection.close()

    def _request(self, method: str, path: str, size: int | None) -> None:
        """Send the request's header, and receive the response's, which may be late for an upload."""
        connection = self._connection
        try:
            self.tls.settimeout(self.limit_seconds)
            connection.putrequest(method, path, skip_accept_encoding=True)
            if size is not None:
                connection.putheader("Content-Length", str(size))
                connection.putheader("Content-Type", "application/octet-stream")
            connection.endheaders()
            is_late = size is not None and not self.tls.has_input(_HEAD_SECONDS)
        except (OSError, http.client.HTTPException) as error:
            self._explain(error)
        if not is_late:
            self._receive()

    def _receive_into(self, buffer: memoryview) -> int:
        """Receive bytes of the body; none at its end.

        XAPI's body has no length. It is read directly from the socket, which is faster.
        """
        response = self._response
        if response is None:
            return 0
        if response.chunked or response.length is not None:
            data = response.read1(len(buffer))
        elif self._is_raw:
            return int(self.tls.read(len(buffer), buffer))
        else:
            data = response.read1(len(response.peek()))  # what was read together with the header
            self._is_raw = True
        buffer[: len(data)] = data
        return len(data)

    def _receive(self) -> None:
        """Receive the header of the response.

        :raises XenAPI.Failure: XAPI returned an error
        :raises SimplestackError: the host returned another error, or does not respond
        """
        self.tls.deadline_seconds = time.monotonic() + self.limit_seconds
        try:
            self._response = response = self._connection.getresponse()
            if response.status in (HTTPStatus.OK, *_REDIRECTS):
                return
            page = response.read(_MAX_PAGE_BYTES)
        except (OSError, http.client.HTTPException) as error:
            self._explain(error)
        if response.status == HTTPStatus.UNAUTHORIZED:
            raise HypervisorUnavailable(f"XAPI ended the session before {self._what}: try again later")
        failure = failure_in(page)
        if failure is not None:
            raise failure
        raise HypervisorError(
            f"XAPI rejected {self._what} with HTTP status {response.status}", response.status
        )

    def _location(self) -> str | None:
        """Return the Location of a redirect; None if the response is not a redirect."""
        if self._response is None or self._response.status not in _REDIRECTS:
            return None
        return self._response.getheader("Location") or ""

    def _elsewhere(self, location: str) -> tuple[Target, str]:
        """Return the target and the path of a Location.

        :raises HostNotAllowed: the settings do not allow the host
        """
        parts = urlsplit(location)
        if parts.scheme != "https" or not parts.netloc:
            raise HypervisorUnavailable(
                f"{self.target} redirects {self._what} to an address that is not https"
            )
        return self.target.elsewhere(in_url(parts.netloc)), f"{parts.path}?{parts.query}"

    def _explain(self, error: Exception) -> NoReturn:
        if isinstance(error, TimeoutError):
            raise HypervisorTimeout(
                f"{self.target} did not continue {self._what} within {self.limit_seconds:g} s"
            ) from None
        raise HypervisorError(
            f"the connection to {self.target} broke during {self._what}: {self._connection.cause_of(error)}"
        ) from None


class Download:
    """An export. At its end, the task says whether it succeeded.

    Not a generator: closing a generator that was never started does not clean up.
    """

    def __init__(self, session: XenSession, transfer: Transfer, task: str) -> None:
        self._tasks = session.tasks
        self._transfer = transfer
        self._task = task
        self._is_over = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._is_over:
            raise StopIteration
        try:
            chunk = self._transfer.receive()
        except SimplestackError:
            self.close()
            raise
        if chunk:
            return chunk
        self._hang_up()
        self._tasks.outcome(self._task, "the export", self._transfer.limit_seconds)
        raise StopIteration

    def close(self) -> None:
        """Cancel the export."""
        if not self._is_over:
            self._hang_up()
            self._tasks.abandon(self._task)

    def _hang_up(self) -> None:
        self._is_over = True
        self._transfer.close()
