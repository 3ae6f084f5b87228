"""Send images to XAPI's HTTP handlers, which read them as a stream."""

import contextlib
from collections.abc import Mapping

from simplestack import CHUNK_BYTES, ImportStream, InvalidArguments
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.transfers import Transfer


def upload(
    session: XenSession, path: str, query: Mapping[str, str], stream: ImportStream, size: int, *, what: str
) -> str:
    """Send an image, and return the result of its task.

    :param query: what the handler needs besides the session and the task
    :param size: number of bytes
    :param what: words for error messages and for the task: ``the import``
    :raises InvalidArguments: the client disconnected
    :raises XenAPI.Failure: XAPI rejects the image
    :raises SimplestackError: the host cannot be reached, does not respond, or redirects to a forbidden host
    """
    task = session.tasks.create(what.removeprefix("the "))
    query = {"session_id": session.api.session, "task_id": task, **query}
    with session.tasks.dismissed_on_failure(task):
        transfer = Transfer.upload(session, what, path, query, size)
    with contextlib.closing(transfer):
        try:
            is_complete = _send(transfer, stream, size)
        except BaseException:
            transfer.close()
            session.tasks.abandon(task)
            raise
        if is_complete:
            transfer.finish()
        else:
            transfer.close()
        # XAPI does not read the end of an archive, so a closed connection is not an error.
        return session.tasks.outcome(task, what)


def _send(transfer: Transfer, stream: ImportStream, size: int) -> bool:
    """Send an image to its end, or until XAPI stops reading. Return whether everything was sent.

    :raises InvalidArguments: the client disconnected
    """
    left = size
    while left:
        piece = stream.read(min(left, CHUNK_BYTES))
        if not piece:
            raise InvalidArguments(f"the image ended after {size - left} of {size} bytes: send all of it")
        if not transfer.send(piece):
            return False
        left -= len(piece)
    return True
