"""Inventory objects and their places: folders and their children."""

from typing import Any

from pyVmomi import vim

from simulators.vsphere.database import Database, Object
from simulators.vsphere.names import stored_name


def add_entity(
    database: Database, kind: Any, name: str, parent: Object | None, moid: str | None = None, **values: Any
) -> Object:
    """Make an inventory object in a folder.

    :param parent: a folder, whose child it becomes; or another object, which is its parent only
    """
    made = database.add(
        kind,
        moid,
        name=stored_name(name),
        parent=None if parent is None else parent.ref,
        overallStatus=vim.ManagedEntity.Status.green,
        configStatus=vim.ManagedEntity.Status.green,
        alarmActionsEnabled=True,
        effectiveRole=[-1],
        **values,
    )
    if parent is not None and issubclass(parent.kind, vim.Folder):
        parent["childEntity"].append(made.ref)
        parent.touch()
    return made


def remove_entity(entity: Object) -> None:
    """Remove an inventory object from its folder, and let it be no more."""
    parent = entity.database.find(entity["parent"]._moId) if entity["parent"] else None
    if parent is not None and issubclass(parent.kind, vim.Folder):
        parent["childEntity"].remove(entity.ref)
        parent.touch()
    entity.database.remove(entity)


def add_folder(
    database: Database, name: str, parent: Object | None, *types: Any, moid: str | None = None
) -> Object:
    """Make a folder.

    :param types: of what it may contain, besides folders
    """
    return add_entity(
        database, vim.Folder, name, parent, moid, childType=[vim.Folder, *types], childEntity=[]
    )


def add_datacenter(database: Database, name: str, parent: Object, *moids: str | None) -> Object:
    """Make a datacenter and its four folders.

    :param moids: of the datacenter, and of its folders for VMs, hosts, datastores and networks
    """
    moid, *folders = moids or (None,) * 5
    made = add_entity(database, vim.Datacenter, name, parent, moid, configuration=vim.Datacenter.ConfigInfo())
    for (field, folder, kind), own in zip(_FOLDERS, folders, strict=True):
        made[field] = add_folder(database, folder, made, kind, moid=own).ref
    return made


_FOLDERS = (
    ("vmFolder", "vm", vim.VirtualMachine),
    ("hostFolder", "host", vim.ComputeResource),
    ("datastoreFolder", "datastore", vim.Datastore),
    ("networkFolder", "network", vim.Network),
)
