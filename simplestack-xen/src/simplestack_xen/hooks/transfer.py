"""Export and import images, through XAPI's HTTP handlers ``/export`` and ``/import``."""

from simplestack import (
    Export,
    Guest,
    GuestState,
    ImportStream,
    InvalidArguments,
    LengthRequired,
    hookimpl,
    warn,
)
from simplestack_xen.hooks.guests import show_copy
from simplestack_xen.xapi.cloud_init import has_data
from simplestack_xen.xapi.leftovers import remove_leftovers_if_due
from simplestack_xen.xapi.lookups import find_guest, require_guest_state
from simplestack_xen.xapi.removal import remove_vm
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.storages import find_disk_sr
from simplestack_xen.xapi.tasks import references_in
from simplestack_xen.xapi.transfers import Download, Transfer
from simplestack_xen.xapi.undo import Undo
from simplestack_xen.xapi.uploads import upload


@hookimpl
def guest_export(session: XenSession, guest_id: str) -> Export:
    """Export a stopped or suspended guest as an XVA, XAPI's tar archive.

    The image of a suspended guest has its memory. XAPI cannot leave out disks, so the image also has the
    data for cloud-init: a warning says so.
    """
    vm = find_guest(session, guest_id)
    if vm.record.power_state not in ("Halted", "Suspended"):
        require_guest_state(vm, "export", GuestState.STOPPED)
    if has_data(vm):
        warn(
            "the image has the guest's data for cloud-init, which may be secret: XAPI exports all disks; "
            "guest_import removes it from the new guest"
        )
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
    result = upload(session, "/import", {"sr_id": storage.ref}, stream, size, what="the import")
    with Undo() as undo:
        made = references_in(result)
        for ref in made:
            undo.do("VM.destroy", remove_vm, session, ref)
        # `guest_export` writes only one VM. Of an archive with several VMs, return the first one.
        guest, *_ = [show_copy(session, ref) for ref in made]
        return guest
