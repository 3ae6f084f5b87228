"""Images out and in, through XAPI's HTTP handlers ``/export`` and ``/import``."""

import contextlib
from collections.abc import Iterator

from simplestack import (
    CHUNK_BYTES,
    Export,
    Guest,
    GuestState,
    ImportStream,
    InvalidArguments,
    LengthRequired,
    SimplestackError,
    hookimpl,
)
from simplestack_xen.errors import XapiFailure
from simplestack_xen.hooks.guests import show
from simplestack_xen.xapi.exchange import Exchange
from simplestack_xen.xapi.lookups import find_guest, require_guest_state
from simplestack_xen.xapi.repositories import find_disk_sr
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.tasks import references_in


@hookimpl
def guest_export(session: XenSession, guest_id: str) -> Export:
    """Stream a guest that is off, or suspended, as an XVA: the tar archive that XAPI imports.

    The image of a suspended guest has its memory.
    """
    vm = find_guest(session, guest_id)
    if vm.record.power_state not in ("Halted", "Suspended"):
        require_guest_state(vm, "export", GuestState.STOPPED)
    task = session.tasks.create(f"export of {vm.record.name_label}")
    query = {"session_id": session.api.session, "task_id": task, "ref": vm.ref, "use_compression": "false"}
    if vm.record.power_state == "Suspended":
        query["preserve_power_state"] = "true"
    with _task_of_none(session, task):
        exchange = Exchange.download(session, "the export", "/export", query)
    return Export(_Download(session, exchange, task))


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
    task = session.tasks.create("import")
    query = {"session_id": session.api.session, "task_id": task, "sr_id": storage.ref}
    with _task_of_none(session, task):
        exchange = Exchange.upload(session, "the import", "/import", query, size)
    with contextlib.closing(exchange):
        try:
            is_complete = _send(exchange, stream, size)
        except BaseException:
            exchange.close()
            session.tasks.abandon(task)
            raise
        if is_complete:
            exchange.finish()
        else:
            exchange.close()
        # XAPI leaves the end of an archive unread, so that its hanging up means nothing.
        result = session.tasks.outcome(task, "the import")
    # An archive of several VMs is not what `guest_export` writes; of those, the first one is shown.
    return show(session, references_in(result)[0])


@contextlib.contextmanager
def _task_of_none(session: XenSession, task: str) -> Iterator[None]:
    """Begin a transfer; where that fails, destroy its task.

    :raises XapiFailure: why it failed, where the task or the answer tells
    """
    try:
        yield
    except (XapiFailure, SimplestackError) as error:
        failure = session.tasks.dismiss(task)
        raise failure or error from None
    except BaseException:
        session.tasks.dismiss(task)
        raise


def _send(exchange: Exchange, stream: ImportStream, size: int) -> bool:
    """Send an image until its end, or until XAPI does not want more of it; tell whether it was all sent.

    :raises InvalidArguments: the client went away
    """
    left = size
    while left:
        piece = stream.read(min(left, CHUNK_BYTES))
        if not piece:
            raise InvalidArguments(f"the image has {size - left} bytes, {size} were announced")
        if not exchange.send(piece):
            return False
        left -= len(piece)
    return True


class _Download:
    """An image on its way. At its end XAPI says whether it was one.

    No generator: one that was never started would not clean up when it is closed.
    """

    def __init__(self, session: XenSession, exchange: Exchange, task: str) -> None:
        self._tasks = session.tasks
        self._exchange = exchange
        self._task = task
        self._is_over = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._is_over:
            raise StopIteration
        try:
            chunk = self._exchange.receive()
        except SimplestackError:
            self.close()
            raise
        if chunk:
            return chunk
        self._hang_up()
        self._tasks.outcome(self._task, "the export", self._exchange.limit_seconds)
        raise StopIteration

    def close(self) -> None:
        """Stop before the end."""
        if not self._is_over:
            self._hang_up()
            self._tasks.abandon(self._task)

    def _hang_up(self) -> None:
        self._is_over = True
        self._exchange.close()
