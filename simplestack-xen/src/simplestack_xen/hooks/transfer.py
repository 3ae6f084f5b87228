"""Export and import images, through XAPI's HTTP handlers ``/export`` and ``/import``."""

from collections.abc import Sequence
from typing import TypeVar

from msgspec import UNSET, UnsetType

from simplestack import (
    Export,
    Guest,
    GuestImport,
    GuestState,
    ImportStream,
    InvalidArguments,
    LengthRequired,
    hookimpl,
    require_state,
    warn,
)
from simplestack_xen.hooks.guests import show_copy, show_guest
from simplestack_xen.xapi.cloud_init import has_data
from simplestack_xen.xapi.firmware import require_firmware, set_firmware
from simplestack_xen.xapi.hardware import carry_out, hardware_steps
from simplestack_xen.xapi.interfaces import replace_interfaces
from simplestack_xen.xapi.leftovers import remove_leftovers_if_due
from simplestack_xen.xapi.lookups import Network, Vm, find_guest, find_network, require_guest_state
from simplestack_xen.xapi.naming import rename, require_free_name
from simplestack_xen.xapi.records import VmRecord
from simplestack_xen.xapi.removal import discard_vm
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.storages import find_disk_sr
from simplestack_xen.xapi.tasks import references_in
from simplestack_xen.xapi.transfers import Download, Transfer
from simplestack_xen.xapi.undo import Undo
from simplestack_xen.xapi.uploads import upload

T = TypeVar("T")


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
    session: XenSession,
    stream: ImportStream,
    size: int | None,
    storage_id: str | None,
    description: GuestImport | None,
) -> Guest:
    """Create a guest from an XVA. XAPI reads it as a stream, and removes everything if the import fails.

    What the query says is changed after that; if a change fails, the guest is removed.

    :raises LengthRequired: the length is unknown: XAPI does not accept chunked bodies
    """
    if size is None:
        raise LengthRequired("XAPI does not accept chunked images: send Content-Length")
    if size == 0:
        raise InvalidArguments("the image is empty: send an XVA image")
    storage = find_disk_sr(session, storage_id)
    networks = [] if description is None else _checked(session, description)
    remove_leftovers_if_due(session)
    result = upload(session, "/import", {"sr_id": storage.ref}, stream, size, what="the import")
    with Undo() as undo:
        made = references_in(result)
        for ref in made:
            undo.do("VM.destroy", discard_vm, session, ref)
        # `guest_export` writes only one VM. Of an archive with several VMs, return the first one.
        guest, *_ = [show_copy(session, ref, is_imported=True) for ref in made]
        if description is None:
            return guest
        vm = Vm(made[0], session.api.read(VmRecord, "VM.get_record", made[0]))
        _describe(session, undo, vm, description, networks)
        return show_guest(session, vm.ref)


def _checked(session: XenSession, wanted: GuestImport) -> list[Network]:
    """Check what the query says, before the image is read, and return its networks."""
    if wanted.firmware is not UNSET:
        require_firmware(paravirtualized=wanted.paravirtualized is True)
    if wanted.name is not UNSET:
        require_free_name(session, wanted.name)
    return [find_network(session, name) for name in wanted.network]


def _describe(
    session: XenSession, undo: Undo, vm: Vm, wanted: GuestImport, networks: Sequence[Network]
) -> None:
    """Give an imported VM what the query says.

    :raises InvalidState: the image has the memory of a suspended guest, whose hardware cannot change
    """
    steps = hardware_steps(
        vm,
        memory_mib=_given(wanted.memory),
        cpus=_given(wanted.cpus),
        paravirtualized=_given(wanted.paravirtualized),
    )
    if steps or networks or wanted.firmware is not UNSET:
        attempt = f"change the hardware of the imported guest {vm.record.name_label!r}"
        require_state(vm.record.state, GuestState.STOPPED, attempt=attempt)
    if wanted.firmware is not UNSET:
        is_pv = vm.record.is_paravirtualized
        require_firmware(paravirtualized=is_pv if wanted.paravirtualized is UNSET else wanted.paravirtualized)
        set_firmware(session, undo, vm, wanted.firmware)
    carry_out(session, undo, vm, steps)
    if networks:
        replace_interfaces(session, undo, vm, networks)
    if wanted.name not in (UNSET, vm.record.name_label):
        rename(session, vm, str(wanted.name))
    if wanted.start and vm.record.power_state == "Suspended":
        session.tasks.run.VM.resume(vm.ref, False, False)
    elif wanted.start:
        session.tasks.run.VM.start(vm.ref, False, False)


def _given(value: T | UnsetType) -> T | None:
    return None if isinstance(value, UnsetType) else value
