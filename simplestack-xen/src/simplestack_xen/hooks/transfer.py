"""Images out and in, through XAPI's HTTP handlers ``/export`` and ``/import``."""

import contextlib

from simplestack import (
    CHUNK_BYTES,
    Export,
    Guest,
    GuestState,
    ImportStream,
    InvalidArguments,
    LengthRequired,
    hookimpl,
)
from simplestack_xen.hooks.guests import show_guest
from simplestack_xen.xapi.lookups import find_guest, require_guest_state
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.storages import find_disk_sr
from simplestack_xen.xapi.tasks import references_in
from simplestack_xen.xapi.transfers import Download, Transfer


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
    with session.tasks.dismissed_on_failure(task):
        transfer = Transfer.download(session, "the export", "/export", query)
    return Export(Download(session, transfer, task))


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
    with session.tasks.dismissed_on_failure(task):
        transfer = Transfer.upload(session, "the import", "/import", query, size)
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
        # XAPI leaves the end of an archive unread, so that its hanging up means nothing.
        result = session.tasks.outcome(task, "the import")
    # An archive of several VMs is not what `guest_export` writes; of those, the first one is shown.
    return show_guest(session, references_in(result)[0])


def _send(transfer: Transfer, stream: ImportStream, size: int) -> bool:
    """Send an image until its end, or until XAPI does not want more of it; tell whether it was all sent.

    :raises InvalidArguments: the client went away
    """
    left = size
    while left:
        piece = stream.read(min(left, CHUNK_BYTES))
        if not piece:
            raise InvalidArguments(f"the image has {size - left} bytes, {size} were announced")
        if not transfer.send(piece):
            return False
        left -= len(piece)
    return True
