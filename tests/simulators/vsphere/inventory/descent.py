"""From inventory objects to those in them, and back."""

from collections.abc import Iterator
from typing import Any

from pyVmomi import vim

from simulators.vsphere.database import Object

#: The properties that lead from an object to those in it.
_CHILDREN: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (vim.Folder, ("childEntity",)),
    (vim.Datacenter, ("vmFolder", "hostFolder", "datastoreFolder", "networkFolder")),
    (vim.ComputeResource, ("host", "resourcePool")),
    (vim.ResourcePool, ("resourcePool", "vm")),
    (vim.HostSystem, ("vm",)),
)


def children(container: Object) -> Iterator[Object]:
    """Yield what is in an inventory object: in a resource pool and on a host, also VMs."""
    for kind, names in _CHILDREN:
        if not issubclass(container.kind, kind):
            continue
        for name in names:
            value = container[name]
            for ref in value if isinstance(value, list) else [value]:
                found = container.database.find(ref._moId)
                if found is not None:
                    yield found


def descendants(container: Object) -> Iterator[Object]:
    """Yield what is in an inventory object, in what is in it, and so on, each once."""
    seen = {container.id}
    pending = [container]
    while pending:
        for child in children(pending.pop()):
            if child.id not in seen:
                seen.add(child.id)
                pending.append(child)
                yield child


def parent(entity: Object) -> Object | None:
    """Return the parent of an inventory object: of a VM in a vApp the vApp; None of the root folder."""
    ref = entity["parent"]
    if ref is None and issubclass(entity.kind, vim.VirtualMachine):
        ref = entity["parentVApp"]
    return None if ref is None else entity.database.find(ref._moId)


def ancestors(entity: Object) -> Iterator[Object]:
    """Yield an inventory object's parent, that one's parent, and so on."""
    found = parent(entity)
    while found is not None:
        yield found
        found = parent(found)


def is_inside(entity: Object, container: Object) -> bool:
    """Return whether an inventory object is somewhere in another one."""
    return any(found is container for found in ancestors(entity))


def datacenter_of(entity: Object) -> Object | None:
    """Return the datacenter that an inventory object is in."""
    return next((found for found in ancestors(entity) if issubclass(found.kind, vim.Datacenter)), None)
