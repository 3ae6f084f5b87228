"""Snapshots: VMs to XAPI, whose ``snapshot_of`` says whose they are."""

from simplestack import EntityNotFound, HypervisorError, Snapshot, hookimpl
from simplestack_xen.entities import snapshot_entities
from simplestack_xen.guests import attempt, own_images
from simplestack_xen.lookups import Vm, drives, find_guest
from simplestack_xen.records import VmRecord
from simplestack_xen.session import XenSession
from simplestack_xen.tasks import reference_in


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
    made = reference_in(session.tasks.run("VM.snapshot", vm.ref, name))
    now = session.api.read(VmRecord, "VM.get_record", vm.ref)
    found = snapshot_entities(now, _of_guest(session, now)).get(made)
    if found is None:
        raise EntityNotFound("Guest", guest_id)  # deleted with its snapshots in this moment
    return found


@hookimpl
def snapshot_revert(session: XenSession, guest_id: str, snapshot_id: str) -> Snapshot:
    """Take the guest back to a snapshot of its own: off, with new disk images like those of then."""
    ref, entity = _find(session, find_guest(session, guest_id), snapshot_id)
    session.tasks.run("VM.revert", ref)
    return entity


@hookimpl
def snapshot_delete(session: XenSession, guest_id: str, snapshot_id: str) -> None:
    """Destroy a snapshot of the guest's own, then the disk images that were its alone."""
    ref, _ = _find(session, find_guest(session, guest_id), snapshot_id)
    snapshot = session.api.read(VmRecord, "VM.get_record", ref)
    images = own_images(drives(session, snapshot), {ref: snapshot})
    session.api.call("VM.destroy", ref)
    left = [
        line
        for image, name in images.items()
        for line in attempt(session, f"disk {name!r}", "VDI.destroy", image)
    ]
    if left:
        raise HypervisorError(f"the snapshot is gone, but not {', '.join(left)}: remove that by hand")


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
