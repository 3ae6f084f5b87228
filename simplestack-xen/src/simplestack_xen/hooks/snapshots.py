"""Snapshots of guests. In XAPI, they are VMs with ``snapshot_of``."""

from simplestack import (
    EntityNotFound,
    HypervisorError,
    InsufficientStorage,
    SimplestackError,
    Snapshot,
    hookimpl,
)
from simplestack_xen.entities import snapshot_entities
from simplestack_xen.errors import translate
from simplestack_xen.sdk import XenAPI
from simplestack_xen.xapi.drives import drives
from simplestack_xen.xapi.images import own_images
from simplestack_xen.xapi.lookups import Vm, find_guest
from simplestack_xen.xapi.records import VdiRecord, VmRecord
from simplestack_xen.xapi.removal import remove_images
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.tasks import reference_in


@hookimpl
def snapshot_list(session: XenSession, guest_id: str) -> list[Snapshot]:
    """List a guest's snapshots."""
    vm = find_guest(session, guest_id)
    return list(snapshot_entities(vm.record, _of_guest(session, vm.record)).values())


@hookimpl
def snapshot_info(session: XenSession, guest_id: str, snapshot_id: str) -> Snapshot:
    """Show one snapshot of a guest."""
    return _find(session, find_guest(session, guest_id), snapshot_id)[1]


@hookimpl
def snapshot_create(session: XenSession, guest_id: str, name: str) -> Snapshot:
    """Take a snapshot of a guest's settings and disks, without its memory."""
    vm = find_guest(session, guest_id)
    made = reference_in(session.tasks.run.VM.snapshot(vm.ref, name))
    now = session.api.read(VmRecord, "VM.get_record", vm.ref)
    snapshot = snapshot_entities(now, _of_guest(session, now)).get(made)
    if snapshot is None:
        raise EntityNotFound("Guest", guest_id)  # it has just been deleted with its snapshots
    return snapshot


@hookimpl
def snapshot_revert(session: XenSession, guest_id: str, snapshot_id: str) -> Snapshot:
    """Revert a guest to one of its snapshots. It is stopped then, with new disk images from the snapshot.

    It keeps the name that it has. Disks that it was given since then go, as all that was changed does.
    """
    vm = find_guest(session, guest_id)
    ref, entity = _find(session, vm, snapshot_id)
    before = own_images(session, drives(session, vm.record), {vm.ref: vm.record})
    try:
        session.tasks.run.VM.revert(ref)
    except XenAPI.Failure as failure:
        raise _explained(session, vm, failure) from None
    if session.api.read(VmRecord, "VM.get_record", vm.ref).name_label != vm.record.name_label:
        # Another guest may have the former name now.
        session.xenapi.VM.set_name_label(vm.ref, vm.record.name_label)
    # XAPI detaches them from the guest but keeps them in their storages, where clients cannot see them.
    images = session.api.read_some(VdiRecord, "VDI", before)
    left = remove_images(session, {ref: before[ref] for ref, image in images.items() if not image.VBDs})
    if left:
        raise HypervisorError(
            f"the guest is reverted, but these are left: {', '.join(left)}; remove them by hand"
        )
    return entity


@hookimpl
def snapshot_delete(session: XenSession, guest_id: str, snapshot_id: str) -> None:
    """Destroy a snapshot of the guest, then the disk images that only it used."""
    ref, _ = _find(session, find_guest(session, guest_id), snapshot_id)
    snapshot = session.api.read(VmRecord, "VM.get_record", ref)
    images = own_images(session, drives(session, snapshot), {ref: snapshot})
    session.tasks.run.VM.destroy(ref)
    left = remove_images(session, images)
    if left:
        raise HypervisorError(
            f"the snapshot is deleted, but these are left: {', '.join(left)}; remove them by hand"
        )


def _explained(session: XenSession, vm: Vm, failure: "XenAPI.Failure") -> "XenAPI.Failure | SimplestackError":
    """Return the error of a failed revert. XAPI removes the current disks before it creates the new ones."""
    now = session.api.read(VmRecord, "VM.get_record", vm.ref)
    if set(now.VBDs) == set(vm.record.VBDs):
        return failure  # nothing has changed
    code = failure.details[0]
    message = (
        f"the revert failed ({code}): the guest is stopped and lacks disks; the snapshot is complete, so "
        "revert again"
    )
    if isinstance(translate(failure), InsufficientStorage):
        return InsufficientStorage(f"{message} after you have made room in the storage")
    return HypervisorError(message, code)


def _of_guest(session: XenSession, vm: VmRecord) -> dict[str, VmRecord]:
    return session.api.read_some(VmRecord, "VM", vm.snapshots)


def _find(session: XenSession, vm: Vm, snapshot_id: str) -> tuple[str, Snapshot]:
    """Find a snapshot of the guest.

    The first Simplestack took any VM's id for a snapshot's, and destroyed it.

    :raises EntityNotFound: ``Snapshot``
    """
    for ref, entity in snapshot_entities(vm.record, _of_guest(session, vm.record)).items():
        if entity.id == snapshot_id.lower():
            return ref, entity
    raise EntityNotFound("Snapshot", snapshot_id)
