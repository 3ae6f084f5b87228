"""The tree of a VM's snapshots."""

from collections.abc import Iterator
from typing import Any

from pyVmomi import vmodl

from simulators.vsphere.database import Object


def without(nodes: list[Any], refs: set[Any]) -> list[Any]:
    """Return a tree without some snapshots, whose children go up."""
    left: list[Any] = []
    for node in nodes:
        children = without(node.childSnapshotList, refs)
        if node.snapshot in refs:
            left.extend(children)
        else:
            node.childSnapshotList[:] = children
            left.append(node)
    return left


def nodes_of(vm: Object) -> Iterator[Any]:
    """Yield all snapshots of a VM."""
    info = vm["snapshot"]
    return iter(()) if info is None else walk(info.rootSnapshotList)


def walk(nodes: list[Any]) -> Iterator[Any]:
    """Yield snapshots and all that are below them."""
    for node in nodes:
        yield node
        yield from walk(node.childSnapshotList)


def find_node(vm: Object, ref: Any) -> Any:
    """Return a snapshot in the tree.

    :raises ManagedObjectNotFound: it is gone
    """
    found = next((node for node in nodes_of(vm) if node.snapshot == ref), None)
    if found is None:
        raise vmodl.fault.ManagedObjectNotFound(obj=ref)
    return found


def path_of(vm: Object) -> list[Any]:
    """Return the snapshots from a root to the current one."""
    info = vm["snapshot"]
    if info is None or info.currentSnapshot is None:
        return []
    return _path_to(info.rootSnapshotList, info.currentSnapshot)


def _path_to(nodes: list[Any], ref: Any) -> list[Any]:
    for node in nodes:
        if node.snapshot == ref:
            return [node]
        below = _path_to(node.childSnapshotList, ref)
        if below:
            return [node, *below]
    return []


def configs_of(vm: Object) -> list[Any]:
    """Return the configurations of a VM and of its snapshots."""
    return [vm["config"], *(vm.database.get(node.snapshot)["config"] for node in nodes_of(vm))]
