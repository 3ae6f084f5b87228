"""Snapshots: VMs to XAPI, whose ``snapshot_of`` says whose they are."""

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
    """List a guest's snapshots: three round trips, or two."""
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
    found = snapshot_entities(now, _of_guest(session, now)).get(made)
    if found is None:
        raise EntityNotFound("Guest", guest_id)  # deleted with its snapshots in this moment
    return found


@hookimpl
def snapshot_revert(session: XenSession, guest_id: str, snapshot_id: str) -> Snapshot:
    """Take the guest back to a snapshot of its own: off, with new disk images like those of then.

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
        # The name of then may be another guest's by now.
        session.xenapi.VM.set_name_label(vm.ref, vm.record.name_label)
    # XAPI takes them out of the guest and leaves them in their storages, where no client of ours sees them.
    images = session.api.read_some(VdiRecord, "VDI", before)
    left = remove_images(session, {ref: before[ref] for ref, image in images.items() if not image.VBDs})
    if left:
        raise HypervisorError(f"the guest is as it was, but {', '.join(left)} is left: remove that by hand")
    return entity


@hookimpl
def snapshot_delete(session: XenSession, guest_id: str, snapshot_id: str) -> None:
    """Destroy a snapshot of the guest's own, then the disk images that were its alone."""
    ref, _ = _find(session, find_guest(session, guest_id), snapshot_id)
    snapshot = session.api.read(VmRecord, "VM.get_record", ref)
    images = own_images(session, drives(session, snapshot), {ref: snapshot})
    session.tasks.run.VM.destroy(ref)
    left = remove_images(session, images)
    if left:
        raise HypervisorError(f"the snapshot is gone, but not {', '.join(left)}: remove that by hand")


def _explained(session: XenSession, vm: Vm, failure: "XenAPI.Failure") -> "XenAPI.Failure | SimplestackError":
    """Return why a revert failed. XAPI removes the disks of now before it makes those of then."""
    now = session.api.read(VmRecord, "VM.get_record", vm.ref)
    if set(now.VBDs) == set(vm.record.VBDs):
        return failure  # nothing has begun
    code = failure.details[0]
    message = (
        f"XAPI failed in the middle of the revert ({code}): the guest is off and lacks disks until a "
        "revert succeeds; the snapshot is whole"
    )
    if isinstance(translate(failure), InsufficientStorage):
        return InsufficientStorage(f"{message}; make room in the storage first")
    return HypervisorError(message, code)


def _of_guest(session: XenSession, vm: VmRecord) -> dict[str, VmRecord]:
    return session.api.read_some(VmRecord, "VM", vm.snapshots)


def _find(session: XenSession, vm: Vm, snapshot_id: str) -> tuple[str, Snapshot]:
    """Find a snapshot among the guest's own.

    The first Simplestack took any VM's id for a snapshot's, and destroyed it.

    :raises EntityNotFound: ``Snapshot``
    """
    for ref, entity in snapshot_entities(vm.record, _of_guest(session, vm.record)).items():
        if entity.id == snapshot_id.lower():
            return ref, entity
    raise EntityNotFound("Snapshot", snapshot_id)
