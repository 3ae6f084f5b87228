"""``SearchIndex``: finding VMs and other objects."""

from typing import Any

from pyVmomi import vim

from simulators.vsphere.calls import Call
from simulators.vsphere.database import Object
from simulators.vsphere.files import split_path
from simulators.vsphere.inventory.descent import children, is_inside, parent
from simulators.vsphere.methods import method


@method(vim.SearchIndex, "FindAllByUuid")
def find_all_by_uuid(
    call: Call,
    datacenter: Object | None,
    uuid: str,
    vm_search: bool,
    instance_uuid: bool | None,
) -> list[Any]:
    """Return all VMs with a BIOS UUID or an instance UUID, or all hosts with a UUID."""
    if vm_search:
        found = call.database.by_uuid(uuid, instance=bool(instance_uuid))
    else:
        hosts = call.database.all(vim.HostSystem)
        found = [host for host in hosts if host["hardware.systemInfo.uuid"] == uuid.lower()]
    return [each.ref for each in found if datacenter is None or is_inside(each, datacenter)]


@method(vim.SearchIndex, "FindByUuid")
def find_by_uuid(call: Call, **parameters: Any) -> Any:
    """Return one of what `find_all_by_uuid` returns."""
    return next(iter(find_all_by_uuid(call, **parameters)), None)


@method(vim.SearchIndex, "FindByInventoryPath")
def find_by_inventory_path(call: Call, inventory_path: str) -> Any:
    """Return the object at a path from the root folder: ``DC0/vm/servers/vm-1``."""
    found: Object | None = call.resolve(call.database.one(vim.ServiceInstance)["content.rootFolder"])
    for name in inventory_path.strip("/").split("/"):
        found = None if found is None else _child(found, name)
    return None if found is None else found.ref


@method(vim.SearchIndex, "FindChild")
def find_child(_call: Call, entity: Object, name: str) -> Any:
    """Return the child of an object that has a name."""
    found = _child(entity, name)
    return None if found is None else found.ref


@method(vim.SearchIndex, "FindByDatastorePath")
def find_by_datastore_path(call: Call, datacenter: Object, path: str) -> Any:
    """Return the VM whose configuration file has a path."""
    split_path(path)
    for vm in call.database.all(vim.VirtualMachine):
        if vm["config.files.vmPathName"] == path and is_inside(vm, datacenter):
            return vm.ref
    return None


@method(vim.SearchIndex, "FindAllByIp")
def find_all_by_ip(call: Call, datacenter: Object | None, ip: str, vm_search: bool) -> list[Any]:
    """Return all VMs whose tools tell an address."""
    return _by_guest(call, datacenter, "ipAddress", ip) if vm_search else []


@method(vim.SearchIndex, "FindAllByDnsName")
def find_all_by_dns_name(
    call: Call,
    datacenter: Object | None,
    dns_name: str,
    vm_search: bool,
) -> list[Any]:
    """Return all VMs whose tools tell a host name."""
    return _by_guest(call, datacenter, "hostName", dns_name) if vm_search else []


def _child(container: Object, name: str) -> Object | None:
    return next(
        (each for each in children(container) if each["name"] == name and parent(each) is container), None
    )


def _by_guest(call: Call, datacenter: Object | None, name: str, value: str) -> list[Any]:
    found = [vm for vm in call.database.all(vim.VirtualMachine) if vm[f"guest.{name}"] == value]
    return [vm.ref for vm in found if datacenter is None or is_inside(vm, datacenter)]
