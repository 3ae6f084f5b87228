"""``ViewManager``: views of containers and lists. They end with their session."""

from typing import Any

from pyVmomi import vim, vmodl

from simulators.vsphere.calls import Call
from simulators.vsphere.database import Object
from simulators.vsphere.derived import derived
from simulators.vsphere.inventory.descent import children, descendants
from simulators.vsphere.methods import method

view = vim.view
_CONTAINERS = (vim.Folder, vim.Datacenter, vim.ComputeResource, vim.ResourcePool, vim.HostSystem)


@method(view.ViewManager, "CreateContainerView")
def create_container_view(
    call: Call,
    container: Object,
    type: list[Any],  # noqa: A002  as the method has it
    recursive: bool,
) -> Any:
    """Make a view of what is in a container, now and later."""
    if not issubclass(container.kind, _CONTAINERS):
        raise vmodl.fault.InvalidArgument(invalidProperty="container")
    kinds = {"type": type, "container": container.ref, "recursive": recursive}
    return _add(call, view.ContainerView, **kinds)


@method(view.ViewManager, "CreateListView")
def create_list_view(call: Call, obj: list[Object]) -> Any:
    """Make a view of certain objects."""
    return _add(call, view.ListView, view=[each.ref for each in obj])


@method(view.ViewManager, "CreateListViewFromView")
def create_list_view_from_view(call: Call, view: Object) -> Any:
    """Make a view of the objects that another one has now."""
    return _add(call, vim.view.ListView, view=list(view["view"]))


@method(view.View, "DestroyView")
def destroy_view(call: Call) -> None:
    """Remove a view."""
    call.database.remove(call.target)


@method(view.ListView, "ModifyListView", privilege="System.View")
def modify_list_view(call: Call, add: list[Object], remove: list[Object]) -> list[Any]:
    """Add objects to a view, and remove some."""
    gone = {each.id for each in remove}
    kept = {ref._moId: ref for ref in call.target["view"] if ref._moId not in gone}
    call.target["view"] = list((kept | {each.id: each.ref for each in add}).values())
    return []


@method(view.ListView, "ResetListView", privilege="System.View")
def reset_list_view(call: Call, obj: list[Object]) -> list[Any]:
    """Replace the objects of a view."""
    call.target["view"] = [each.ref for each in obj]
    return []


@method(view.ListView, "ResetListViewFromView", privilege="System.View")
def reset_list_view_from_view(call: Call, view: Object) -> None:
    """Replace the objects of a view by those that another one has now."""
    call.target["view"] = list(view["view"])


@derived(view.ContainerView, "view")
def _contained(subject: Object) -> list[Any]:
    container = subject.database.find(subject["container"]._moId)
    kinds = tuple(subject["type"]) or (vim.ManagedEntity,)
    if container is None:
        return []
    found = descendants(container) if subject["recursive"] else children(container)
    return [each.ref for each in found if issubclass(each.kind, kinds)]


def _add(call: Call, kind: Any, **values: Any) -> Any:
    key = call.own_session.key
    made = call.database.add(kind, f"session[{key}]{call.database.new_id(kind)}", session_key=key, **values)
    return made.ref
