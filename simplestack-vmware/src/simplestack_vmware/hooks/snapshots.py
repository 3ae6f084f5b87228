"""Snapshots of guests. Their ID is the managed object ID."""

from simplestack import EntityNotFound, Snapshot, hookimpl
from simplestack_vmware.entities import snapshot_entities, walk_snapshots
from simplestack_vmware.vsphere.lookups import find_guest
from simplestack_vmware.vsphere.records import VmSnapshots
from simplestack_vmware.vsphere.schemas import Ref
from simplestack_vmware.vsphere.session import VmwareSession


@hookimpl
def snapshot_list(session: VmwareSession, guest_id: str) -> list[Snapshot]:
    """List a guest's snapshots, also those that others have taken."""
    vm = find_guest(session, guest_id, VmSnapshots)
    return [] if vm.snapshots is None else list(snapshot_entities(vm.snapshots.roots).values())


@hookimpl
def snapshot_info(session: VmwareSession, guest_id: str, snapshot_id: str) -> Snapshot:
    """Show one snapshot of a guest."""
    return find_snapshot(find_guest(session, guest_id, VmSnapshots), snapshot_id)[1]


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
