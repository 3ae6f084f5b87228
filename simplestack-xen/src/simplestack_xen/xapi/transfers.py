"""The HTTP side of transfers: a request to a handler of XAPI's, at this host or at the one that it names.

https://xapi-project.github.io/xen-api/topics/import-export.html. Each transfer has a connection of its own,
beside the session's. The status tells little: 200 is said before anything has been read or written, and what
became of the transfer is in its task.
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
    HypervisorError,
    HypervisorTimeout,
    HypervisorUnavailable,
    SimplestackError,
    Target,
)
from simplestack_xen.errors import failure_in
from simplestack_xen.xapi.connection import HttpsConnection, TimedSocket
from simplestack_xen.xapi.session import XenSession

#: XAPI answers an upload before it reads it. So long nothing is sent to a host that says nothing.
_HEAD_SECONDS = 5.0
_MAX_PAGE_BYTES = 64 * 1024
#: How long pieces are gathered. XAPI sends a few bytes every five seconds while it finds nothing on a disk.
_GATHER_SECONDS = 1.0
_REDIRECTS = (HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.FOUND, HTTPStatus.TEMPORARY_REDIRECT)


class Transfer:
    """A request, and its answer as far as it has come."""

    def __init__(self, session: XenSession, target: Target, what: str) -> None:
        """Connect.

        :param what: for errors: ``the export``
        :raises SimplestackError: as `HttpsConnection.dial` does
        """
        self.target = target
        self.limit_seconds = session.settings.call_timeout_seconds
        self._what = what
        self._connection = HttpsConnection(target, session.settings)
        self._connection.dial(session.settings.connect_timeout_seconds)
        self._answer: http.client.HTTPResponse | None = None
        #: Whether all that was read with the head of the answer has been taken.
        self._is_raw = False
        self._buffer = memoryview(bytearray(CHUNK_BYTES))

    @classmethod
    def download(cls, session: XenSession, what: str, path: str, query: dict[str, str]) -> Self:
        """Ask for something that is streamed, and return when it begins.

        :raises XenAPI.Failure: XAPI refuses, and says why
        :raises SimplestackError: the host cannot be reached, refuses, is silent, or names a forbidden one
        """
        return cls._ask(session, what, "GET", f"{path}?{urlencode(query)}", None)

    @classmethod
    def upload(cls, session: XenSession, what: str, path: str, query: dict[str, str], size: int) -> Self:
        """Announce something that is to be sent, and return when the host waits for it.

        :raises XenAPI.Failure: XAPI refuses, and says why
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
        raise HypervisorUnavailable(f"{target} was named for {what}, and names yet another host")

    @property
    def tls(self) -> TimedSocket:
        """The socket."""
        return self._connection.tls

    def send(self, data: bytes) -> bool:
        """Send some of an upload; tell whether the host still listens.

        :raises HypervisorTimeout: it does not take it
        :raises XenAPI.Failure: it refuses after all, and says why
        :raises SimplestackError: it refuses
        """
        if self.tls.answers():
            if self._answer is not None:
                return False  # it has hung up, or has more to say, which is nothing good
            self._receive()
            if self._location() is not None:
                raise HypervisorUnavailable(f"{self.target} named another host too late: try again", 1)
        try:
            self.tls.settimeout(self.limit_seconds)
            view, sent = memoryview(data), 0
            while sent < len(view):  # `sendall` does the same, and looks at more for each TLS record
                sent += self.tls.write(view[sent:])
        except TimeoutError as error:
            self._explain(error)
        except OSError:
            return False
        return True

    def finish(self) -> None:
        """Say that this was all of an upload: of one that is cut short XAPI would wait for the rest."""
        self.tls.settimeout(0)
        with contextlib.suppress(OSError):  # that the other end has not said so yet, or is gone
            self.tls.unwrap()

    def receive(self) -> bytes:
        """Return the next piece of a download, none at its end: a chunk, or what comes in a while.

        :raises HypervisorTimeout: none comes
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
        """Hang up."""
        if self._answer is not None:
            self._answer.close()
        self._connection.close()

    def _request(self, method: str, path: str, size: int | None) -> None:
        """Send the request's head and receive the answer's, which may be late for an upload."""
        connection = self._connection
        try:
            self.tls.settimeout(self.limit_seconds)
            connection.putrequest(method, path, skip_accept_encoding=True)
            if size is not None:
                connection.putheader("Content-Length", str(size))
                connection.putheader("Content-Type", "application/octet-stream")
            connection.endheaders()
            is_late = size is not None and not self.tls.answers(_HEAD_SECONDS)
        except (OSError, http.client.HTTPException) as error:
            self._explain(error)
        if not is_late:
            self._receive()

    def _receive_into(self, buffer: memoryview) -> int:
        """Receive some bytes of a body; none at its end.

        XAPI's has no length. It is read from the socket, round two layers that would look at each TLS record.
        """
        answer = self._answer
        if answer is None:
            return 0
        if answer.chunked or answer.length is not None:
            found = answer.read1(len(buffer))
        elif self._is_raw:
            return int(self.tls.read(len(buffer), buffer))
        else:
            found = answer.read1(len(answer.peek()))  # what came with the head
            self._is_raw = True
        buffer[: len(found)] = found
        return len(found)

    def _receive(self) -> None:
        """Receive the head of the answer.

        :raises XenAPI.Failure: it is a refusal that says why
        :raises SimplestackError: it is a refusal, or none comes
        """
        self.tls.deadline_seconds = time.monotonic() + self.limit_seconds
        try:
            self._answer = answer = self._connection.getresponse()
            if answer.status in (HTTPStatus.OK, *_REDIRECTS):
                return
            page = answer.read(_MAX_PAGE_BYTES)
        except (OSError, http.client.HTTPException) as error:
            self._explain(error)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise HypervisorUnavailable(f"XAPI ended the session before {self._what}")
        failure = failure_in(page)
        if failure is not None:
            raise failure
        raise HypervisorError(f"XAPI answered {self._what} with HTTP {answer.status}", answer.status)

    def _location(self) -> str | None:
        """Return where the answer sends its client; None where it sends it nowhere."""
        if self._answer is None or self._answer.status not in _REDIRECTS:
            return None
        return self._answer.getheader("Location") or ""

    def _elsewhere(self, location: str) -> tuple[Target, str]:
        """Return the target and the path of a location, if the settings allow to go there.

        :raises HostNotAllowed: they do not
        """
        parts = urlsplit(location)
        if parts.scheme != "https" or not parts.netloc:
            raise HypervisorUnavailable(
                f"{self.target} names another host for {self._what}, but not by https"
            )
        return self.target.elsewhere(parts.netloc), f"{parts.path}?{parts.query}"

    def _explain(self, error: Exception) -> NoReturn:
        if isinstance(error, TimeoutError):
            raise HypervisorTimeout(
                f"{self.target} let {self._what} wait for more than {self.limit_seconds:g} s"
            ) from None
        raise HypervisorError(f"the connection to {self.target} broke in {self._what}: {error}") from None


class Download:
    """An image on its way. At its end XAPI says whether it was one.

    No generator: one that was never started would not clean up when it is closed.
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
        """Stop before the end."""
        if not self._is_over:
            self._hang_up()
            self._tasks.abandon(self._task)

    def _hang_up(self) -> None:
        self._is_over = True
        self._transfer.close()
