"""``ManagedEntity`` and ``Folder``: names, and new folders."""

from typing import Any

from pyVmomi import vim

from simulators.vsphere.calls import Call
from simulators.vsphere.database import Object
from simulators.vsphere.datastore_names import set_datastore_name
from simulators.vsphere.inventory.entities import add_folder
from simulators.vsphere.methods import method
from simulators.vsphere.names import stored_name
from simulators.vsphere.tasks import Running

#: What renaming needs.
_RENAME: tuple[tuple[Any, str], ...] = (
    (vim.VirtualMachine, "VirtualMachine.Config.Rename"),
    (vim.Folder, "Folder.Rename"),
    (vim.Datacenter, "Datacenter.Rename"),
    (vim.Datastore, "Datastore.Rename"),
    (vim.VirtualApp, "VApp.Rename"),
    (vim.ResourcePool, "Resource.RenamePool"),
    (vim.ManagedEntity, "Network.Config"),
)


@method(vim.ManagedEntity, "Rename_Task", privilege="System.View")
def rename(call: Call, new_name: str) -> Any:
    """Give an object another name."""
    call.need(next(needed for kind, needed in _RENAME if issubclass(call.target.kind, kind)), call.target)

    def work(_running: Running) -> None:
        name = stored_name(new_name)
        if call.target["parent"] is not None:
            check_name(call.resolve(call.target["parent"]), name, besides=call.target)
        if issubclass(call.target.kind, vim.Datastore):
            set_datastore_name(call.target, name)
        call.target["name"] = name
        if issubclass(call.target.kind, vim.VirtualMachine):
            call.target["config.name"] = name

    return call.start(work)


@method(vim.Datastore, "RenameDatastore")
def rename_datastore(call: Call, new_name: str) -> None:
    """Give a datastore another name at once."""
    name = stored_name(new_name)
    check_name(call.resolve(call.target["parent"]), name, besides=call.target)
    set_datastore_name(call.target, name)


@method(vim.Folder, "CreateFolder")
def create_folder(call: Call, name: str) -> Any:
    """Make a folder in a folder."""
    check_name(call.target, stored_name(name))
    kinds = [kind for kind in call.target["childType"] if kind is not vim.Folder]
    return add_folder(call.database, name, call.target, *kinds).ref


def check_name(folder: Object, name: str, besides: Object | None = None) -> None:
    """Check that no object in a folder has a name.

    :param name: as it is stored
    :param besides: who may have it
    :raises DuplicateName: one has
    """
    for ref in folder["childEntity"] if issubclass(folder.kind, vim.Folder) else []:
        child = folder.database.get(ref)
        if child["name"] == name and child is not besides:
            raise vim.fault.DuplicateName(name=name, object=child.ref)
