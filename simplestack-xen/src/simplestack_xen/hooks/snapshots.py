"""Snapshots of guests. In XAPI, they are VMs with ``snapshot_of``."""

from simplestack import EntityNotFound, HypervisorError, Snapshot, hookimpl, warn
from simplestack_xen.entities import snapshot_entities
from simplestack_xen.xapi.drives import drives
from simplestack_xen.xapi.images import own_images
from simplestack_xen.xapi.lookups import Vm, find_guest
from simplestack_xen.xapi.records import VdiRecord, VmRecord
from simplestack_xen.xapi.removal import remove_images
from simplestack_xen.xapi.reverts import disks_in_revert, explained
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.storages import require_connected
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
    """Revert a guest to one of its snapshots. It is stopped then, with the disks of the snapshot.

    It keeps its current name. Disks that were attached after the snapshot are detached and stay in their
    storages with their data: a warning names them.
    """
    vm = find_guest(session, guest_id)
    ref, entity = _find(session, vm, snapshot_id)
    disks = disks_in_revert(session, vm, ref)
    with explained(session, vm):
        session.tasks.run.VM.revert(ref)
    now = session.api.read(VmRecord, "VM.get_record", vm.ref)
    if now.name_label != vm.record.name_label:
        # Another guest may have the former name now.
        session.xenapi.VM.set_name_label(vm.ref, vm.record.name_label)
    for drive in disks.later:
        image = session.api.read_if_there(VdiRecord, "VDI", drive.record.VDI)
        if image is not None and not set(image.VBDs) & set(now.VBDs):
            warn(
                f"disk {drive.record.userdevice} {image.name_label!r} was detached, because the snapshot "
                f"does not have it: it stays in its storage with its data, as VDI {image.uuid}"
            )
    return entity


@hookimpl
def snapshot_delete(session: XenSession, guest_id: str, snapshot_id: str) -> None:
    """Destroy a snapshot of the guest, then the disk images that only it used."""
    ref, entity = _find(session, find_guest(session, guest_id), snapshot_id)
    snapshot = session.api.read(VmRecord, "VM.get_record", ref)
    images = own_images(session, drives(session, snapshot), {ref: snapshot})
    require_connected(session, images.storages, f"delete snapshot {entity.name!r}")
    session.tasks.run.VM.destroy(ref)
    left = remove_images(session, images.names)
    if left:
        raise HypervisorError(
            f"the snapshot is deleted, but these are left: {', '.join(left)}; remove them by hand"
        )


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
