"""Images out and in, through XAPI's HTTP handlers ``/export`` and ``/import``.

https://xapi-project.github.io/xen-api/topics/import-export.html. What became of a transfer is in a task: the
HTTP status says nothing. Each transfer has a connection of its own, beside the session's.
"""

import http.client
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import NoReturn
from urllib.parse import urlencode, urlsplit

from simplestack import (
    CHUNK_BYTES,
    Export,
    Guest,
    GuestState,
    HostNotAllowed,
    HypervisorError,
    HypervisorTimeout,
    HypervisorUnavailable,
    ImportStream,
    InvalidArguments,
    LengthRequired,
    SimplestackError,
    Target,
    hookimpl,
)
from simplestack_xen.connection import HttpsConnection, TimedSocket
from simplestack_xen.failures import XapiFailure
from simplestack_xen.guests import references_in, show
from simplestack_xen.lookups import find_disk_sr, find_guest, need
from simplestack_xen.session import XenSession

#: Of an upload so much is kept until it is clear that this host takes it, and does not name another one.
_REPLAY_BYTES = 4 * CHUNK_BYTES
#: How long that may take to become clear.
_OBJECTION_SECONDS = 0.2
_REDIRECTS = (HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.FOUND, HTTPStatus.TEMPORARY_REDIRECT)


@hookimpl
def guest_export(session: XenSession, guest_id: str) -> Export:
    """Stream a guest that is off, or suspended, as an XVA: the tar archive that XAPI imports."""
    vm = find_guest(session, guest_id)
    if vm.record.power_state not in ("Halted", "Suspended"):
        need(vm, "cannot export", GuestState.STOPPED)
    task = _new_task(session, f"export of {vm.record.name_label}")
    try:
        query = {
            "session_id": session.api.session,
            "task_id": task,
            "ref": vm.ref,
            "use_compression": "false",
        }
        connection, response = _get(session, "/export", query)
    except BaseException:
        session.api.abandon(task, is_under_way=False)
        raise
    return Export(_Download(session, connection, response, task))


@hookimpl
def guest_import(
    session: XenSession, stream: ImportStream, size: int | None, storage_id: str | None
) -> Guest:
    """Make a guest of an XVA. XAPI reads it as it comes, and removes what it has made when it fails.

    :raises LengthRequired: its length is not known; XAPI takes no chunks
    """
    if size is None:
        raise LengthRequired("XAPI takes images of a known length only: send Content-Length, and no chunks")
    if size == 0:
        raise InvalidArguments("the image is empty: send the bytes of one")
    storage = find_disk_sr(session, storage_id)
    task = _new_task(session, "import")
    query = {"session_id": session.api.session, "task_id": task, "sr_id": storage.ref}
    try:
        _put(session, task, f"/import?{urlencode(query)}", _Upload(stream, size))
    except BaseException as error:
        _blame_task(session, task, error)
    result = session.api.outcome(task, "the import", session.settings.call_timeout_seconds)
    # An archive of several VMs is not what `guest_export` writes; of those, the first one is shown.
    return show(session, references_in(result)[0])


class _Upload:
    """A client's stream whose beginning can be sent again."""

    def __init__(self, stream: ImportStream, size: int) -> None:
        self.size = size
        self._stream = stream
        self._read_bytes = 0
        self._kept: list[bytes] = []
        self._resent = 0

    @property
    def can_restart(self) -> bool:
        """Whether all that was read is still there."""
        return self._read_bytes <= _REPLAY_BYTES

    @property
    def reads_on(self) -> bool:
        """Whether the next piece would be the first that cannot be sent again."""
        return self.can_restart and self._read_bytes + CHUNK_BYTES > _REPLAY_BYTES

    def restart(self) -> None:
        """Begin anew."""
        self._resent = 0

    def piece(self) -> bytes:
        """Return the next piece.

        :raises InvalidArguments: the client went away
        """
        if self._resent < len(self._kept):
            self._resent += 1
            return self._kept[self._resent - 1]
        piece = self._stream.read(min(self.size - self._read_bytes, CHUNK_BYTES))
        if not piece:
            raise InvalidArguments(f"the image has {self._read_bytes} bytes, {self.size} were announced")
        self._read_bytes += len(piece)
        if self.can_restart:
            self._kept.append(piece)
            self._resent += 1
        else:
            self._kept.clear()
        return piece


def _put(session: XenSession, task: str, path: str, upload: _Upload) -> None:
    """Send an image, to this host or to the one that this host names. What became of it is in the task."""
    connection, response = _put_to(session, session.target, path, upload)
    try:
        if response.status in _REDIRECTS:
            if not upload.can_restart:
                raise HypervisorUnavailable(f"{connection.target} named another host too late: try again", 1)
            target, path = _elsewhere(connection.target, response)
            connection.close()
            upload.restart()
            connection, response = _put_to(session, target, path, upload)
            if response.status in _REDIRECTS:
                raise HypervisorUnavailable(f"{target} was named for the import, and names yet another host")
        response.read()
        if response.status != HTTPStatus.OK:
            raise _refused(session, task, response)
    finally:
        connection.close()


def _put_to(
    session: XenSession, target: Target, path: str, upload: _Upload
) -> tuple[HttpsConnection, http.client.HTTPResponse]:
    connection = _connect(session, target)
    limit = session.settings.call_timeout_seconds
    try:
        connection.putrequest("PUT", path, skip_accept_encoding=True)
        connection.putheader("Content-Length", str(upload.size))
        connection.putheader("Content-Type", "application/octet-stream")
        connection.tls.settimeout(limit)
        connection.endheaders()
        _send(connection.tls, upload)
        connection.tls.deadline_seconds = time.monotonic() + limit
        return connection, connection.getresponse()
    except BaseException as error:
        connection.close()
        if isinstance(error, OSError | http.client.HTTPException):
            _explain(error, target, "the import", limit)
        raise


def _send(tls: TimedSocket, upload: _Upload) -> None:
    """Send an image, until its end or until the host has something to say."""
    sent = 0
    was_patient = False
    while sent < upload.size:
        patience = _OBJECTION_SECONDS if upload.reads_on and not was_patient else 0
        was_patient = was_patient or patience > 0
        if tls.answers(patience):
            return
        piece = upload.piece()
        try:
            tls.sendall(piece)
        except TimeoutError:
            raise
        except OSError:
            return  # it has closed: its answer may say why
        sent += len(piece)


def _get(
    session: XenSession, path: str, query: dict[str, str]
) -> tuple[HttpsConnection, http.client.HTTPResponse]:
    """Ask for an image, at this host or the one that it names."""
    target, path = session.target, f"{path}?{urlencode(query)}"
    for _ in range(2):
        connection, response = _get_from(session, target, path)
        if response.status not in _REDIRECTS:
            if response.status == HTTPStatus.OK:
                return connection, response
            connection.close()
            raise _refused(session, query["task_id"], response)
        try:
            target, path = _elsewhere(target, response)
        finally:
            connection.close()
    raise HypervisorUnavailable(f"{target} was named for the export, and names yet another host")


def _get_from(
    session: XenSession, target: Target, path: str
) -> tuple[HttpsConnection, http.client.HTTPResponse]:
    connection = _connect(session, target)
    limit = session.settings.call_timeout_seconds
    try:
        connection.tls.deadline_seconds = time.monotonic() + limit
        connection.request("GET", path)
        return connection, connection.getresponse()
    except BaseException as error:
        connection.close()
        if isinstance(error, OSError | http.client.HTTPException):
            _explain(error, target, "the export", limit)
        raise


class _Download:
    """An image on its way. At its end XAPI says whether it was one.

    No generator: one that was never started would not clean up when it is closed.
    """

    def __init__(
        self, session: XenSession, connection: HttpsConnection, response: http.client.HTTPResponse, task: str
    ) -> None:
        self._session = session
        self._connection = connection
        self._response = response
        self._task = task
        self._is_over = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._is_over:
            raise StopIteration
        limit = self._session.settings.call_timeout_seconds
        try:
            self._connection.tls.deadline_seconds = time.monotonic() + limit
            chunk = self._response.read(CHUNK_BYTES)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            _explain(error, self._connection.target, "the export", limit)
        if chunk:
            return chunk
        self._hang_up()
        self._session.api.outcome(self._task, "the export", limit)
        raise StopIteration

    def close(self) -> None:
        """Stop before the end."""
        if not self._is_over:
            self._hang_up()
            self._session.api.abandon(self._task, is_under_way=True)

    def _hang_up(self) -> None:
        self._is_over = True
        self._response.close()
        self._connection.close()


def _connect(session: XenSession, target: Target) -> HttpsConnection:
    connection = HttpsConnection(target, session.settings)
    connection.dial(session.settings.connect_timeout_seconds)
    return connection


def _elsewhere(target: Target, response: http.client.HTTPResponse) -> tuple[Target, str]:
    """Return where an answer sends its client, if the settings allow to go there.

    :raises HostNotAllowed: they do not
    """
    location = urlsplit(response.getheader("Location") or "")
    if location.scheme != "https" or not location.netloc:
        raise HypervisorUnavailable(f"{target} names another host for the transfer, but not by https")
    return target.elsewhere(location.netloc), f"{location.path}?{location.query}"


def _new_task(session: XenSession, label: str) -> str:
    return str(session.api.call("task.create", label, "by Simplestack"))


def _refused(session: XenSession, task: str, response: http.client.HTTPResponse) -> Exception:
    """Return why XAPI refused a transfer: its task knows."""
    try:
        session.api.outcome(task, "the transfer", 1)
    except XapiFailure as failure:
        return failure
    except SimplestackError:
        pass
    return HypervisorError(f"XAPI answered the transfer with HTTP {response.status}", response.status)


def _blame_task(session: XenSession, task: str, error: BaseException) -> NoReturn:
    """Raise what ended an import: XAPI's reason where it has one that explains a broken connection."""
    if isinstance(error, XapiFailure):
        raise error  # as the task has said, which is gone
    if isinstance(error, HypervisorError | HypervisorTimeout):
        try:
            session.api.outcome(task, "the import", 1)
        except XapiFailure as failure:
            raise failure from None
        except SimplestackError:
            pass
        raise error
    # Of the hosts that are not dialled, none has begun.
    session.api.abandon(task, is_under_way=not isinstance(error, HypervisorUnavailable | HostNotAllowed))
    raise error


def _explain(error: Exception, target: Target, what: str, limit_seconds: float) -> NoReturn:
    if isinstance(error, TimeoutError):
        raise HypervisorTimeout(f"{target} let {what} wait for more than {limit_seconds:g} s") from None
    raise HypervisorError(f"the connection to {target} broke in {what}: {error}") from None
