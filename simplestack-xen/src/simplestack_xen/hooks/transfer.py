"""Export and import images, through XAPI's HTTP handlers ``/export`` and ``/import``."""

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
from simplestack_xen.hooks.guests import show_copy
from simplestack_xen.xapi.leftovers import remove_leftovers_if_due
from simplestack_xen.xapi.lookups import find_guest, require_guest_state
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.storages import find_disk_sr
from simplestack_xen.xapi.tasks import references_in
from simplestack_xen.xapi.transfers import Download, Transfer


@hookimpl
def guest_export(session: XenSession, guest_id: str) -> Export:
    """Export a stopped or suspended guest as an XVA, XAPI's tar archive.

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
    """Create a guest from an XVA. XAPI reads it as a stream, and removes everything if the import fails.

    :raises LengthRequired: the length is unknown: XAPI does not accept chunked bodies
    """
    if size is None:
        raise LengthRequired("XAPI does not accept chunked images: send Content-Length")
    if size == 0:
        raise InvalidArguments("the image is empty: send an XVA image")
    storage = find_disk_sr(session, storage_id)
    remove_leftovers_if_due(session)
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
        # XAPI does not read the end of an archive, so a closed connection is not an error.
        result = session.tasks.outcome(task, "the import")
    # `guest_export` writes only one VM. Of an archive with several VMs, return the first one.
    return show_copy(session, references_in(result)[0])


def _send(transfer: Transfer, stream: ImportStream, size: int) -> bool:
    """Send an image to its end, or until XAPI stops reading. Return whether everything was sent.

    :raises InvalidArguments: the client disconnected
    """
    left = size
    while left:
        piece = stream.read(min(left, CHUNK_BYTES))
        if not piece:
            raise InvalidArguments(f"the image ended after {size - left} of {size} bytes")
        if not transfer.send(piece):
            return False
        left -= len(piece)
    return True
