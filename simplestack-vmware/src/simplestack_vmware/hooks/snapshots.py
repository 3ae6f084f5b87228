"""Snapshots of guests. Their ID is the managed object ID."""

from simplestack import Conflict, EntityNotFound, InvalidState, Snapshot, hookimpl, warn
from simplestack_vmware.entities import snapshot_entities, walk_snapshots
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.disks.files import VmDisks, newest
from simplestack_vmware.vsphere.disks.usage import DiskUsage
from simplestack_vmware.vsphere.inventory.names import decoded, encoded
from simplestack_vmware.vsphere.inventory.records import VmSnapshots
from simplestack_vmware.vsphere.sessions.lookups import find_guest, require_changeable
from simplestack_vmware.vsphere.sessions.session import VmwareSession


@hookimpl
def snapshot_list(session: VmwareSession, guest_id: str) -> list[Snapshot]:
    """List a guest's snapshots, also those that others have taken."""
    vm = find_guest(session, guest_id, VmSnapshots)
    return [] if vm.snapshots is None else list(snapshot_entities(vm.snapshots.roots).values())


@hookimpl
def snapshot_info(session: VmwareSession, guest_id: str, snapshot_id: str) -> Snapshot:
    """Show one snapshot of a guest."""
    return find_snapshot(find_guest(session, guest_id, VmSnapshots), snapshot_id)[1]


@hookimpl
def snapshot_create(session: VmwareSession, guest_id: str, name: str) -> Snapshot:
    """Take a snapshot of a guest's settings and disks, without its memory."""
    vm = find_guest(session, guest_id, VmSnapshots)
    _require_guest(vm, f"take a snapshot of guest {vm.name!r}")
    take = session.vm(vm).CreateSnapshot_Task
    made = session.tasks.run(take, encoded(name), "", memory=False, quiesce=False, of=vm.ref)
    now = session.reader.read_one(VmSnapshots, vm.ref)
    roots = [] if now is None or now.snapshots is None else now.snapshots.roots
    snapshot = None if made is None else snapshot_entities(roots).get(made.value)
    if snapshot is None:
        raise EntityNotFound("Guest", guest_id)  # it has just been deleted with its snapshots
    return snapshot


@hookimpl
def snapshot_revert(session: VmwareSession, guest_id: str, snapshot_id: str) -> Snapshot:
    """Revert a guest to one of its snapshots. It is stopped then, unless the snapshot has its memory.

    Disks that were attached after the snapshot are detached and stay with their data: a warning names them.

    :raises Conflict: another VM uses a file that has the guest's data since the snapshot, or may use one
    """
    vm = find_guest(session, guest_id, VmDisks)
    attempt = f"revert guest {vm.name!r}"
    _require_guest(vm, attempt)
    ref, entity = find_snapshot(vm, snapshot_id)
    DiskUsage.read(session, vm).require_own(newest(vm.disks), attempt)
    session.tasks.run(session.api.object(ref).RevertToSnapshot_Task, of=vm.ref)
    now = session.reader.read_one(VmDisks, vm.ref)
    kept = (
        set()
        if now is None or now.devices is None
        else {disk.backing.chain[-1].file_name for disk in now.disks}
    )
    for disk in vm.disks if now is not None and now.devices is not None else []:
        if disk.backing.chain[-1].file_name not in kept:
            warn(
                f"{disk.label} was detached, because the snapshot does not have it: it stays in its "
                f"datastore with its data, as {decoded(disk.backing.file_name)!r}"
            )
    return entity


@hookimpl
def snapshot_delete(session: VmwareSession, guest_id: str, snapshot_id: str) -> None:
    """Delete a snapshot of the guest. Those that were taken after it are kept.

    :raises Conflict: another VM, such as a linked clone, uses a file of the snapshot, or may use one
    """
    vm = find_guest(session, guest_id, VmDisks)
    ref, entity = find_snapshot(vm, snapshot_id)
    attempt = f"delete snapshot {entity.name!r} of guest {vm.name!r}"
    _require_guest(vm, attempt)
    usage = DiskUsage.read(session, vm)
    disks = usage.snapshots.get(ref.value)
    if disks is None:
        raise Conflict(
            f"cannot {attempt}: vSphere does not show the disks of the snapshot; delete it in vSphere"
        )
    usage.require_own(newest(disks), attempt)
    session.tasks.run(session.api.object(ref).RemoveSnapshot_Task, removeChildren=False, of=vm.ref)


def find_snapshot(vm: VmSnapshots, snapshot_id: str) -> tuple[Ref, Snapshot]:
    """Find a snapshot of a guest by its ID, or by the UUID that first-generation Simplestack gave it.

    That is the snapshot's description.

    :raises EntityNotFound: ``Snapshot``
    """
    roots = [] if vm.snapshots is None else vm.snapshots.roots
    entities = snapshot_entities(roots)
    trees = [tree for tree, _ in walk_snapshots(roots)]
    for matches in (
        [tree for tree in trees if tree.snapshot.value == snapshot_id],
        [tree for tree in trees if tree.description.lower() == snapshot_id.lower()],
    ):
        if len(matches) == 1:
            return matches[0].snapshot, entities[matches[0].snapshot.value]
    raise EntityNotFound("Snapshot", snapshot_id)


def _require_guest(vm: VmSnapshots, attempt: str) -> None:
    """Check that a VM has a configuration, and is not a template.

    :raises Conflict: vSphere has lost the VM's files
    :raises InvalidState: it is a template
    """
    require_changeable(vm, attempt)
    if vm.is_template:
        raise InvalidState.of_template(attempt)
