"""Properties that are the other side of a relation: a datastore's VMs, a datacenter's networks."""

from collections.abc import Iterator
from typing import Any

from pyVmomi import vim

from simulators.vsphere.database import Object
from simulators.vsphere.derived import derived


def _vms(subject: Object) -> Iterator[Object]:
    return subject.database.all(vim.VirtualMachine)


@derived(vim.Datastore, "vm")
def _datastore_vms(datastore: Object) -> list[Any]:
    return [vm.ref for vm in _vms(datastore) if datastore.ref in vm["datastore"]]


@derived(vim.Network, "vm")
def _network_vms(network: Object) -> list[Any]:
    return [vm.ref for vm in _vms(network) if network.ref in vm["network"]]


@derived(vim.HostSystem, "vm")
def _host_vms(host: Object) -> list[Any]:
    return [vm.ref for vm in _vms(host) if vm["runtime.host"] == host.ref]


@derived(vim.ResourcePool, "vm")
def _pool_vms(pool: Object) -> list[Any]:
    return [vm.ref for vm in _vms(pool) if vm["resourcePool"] == pool.ref]


@derived(vim.ResourcePool, "resourcePool")
def _child_pools(pool: Object) -> list[Any]:
    pools = pool.database.all(vim.ResourcePool)
    return [child.ref for child in pools if child["parent"] == pool.ref]


@derived(vim.ComputeResource, "host")
def _hosts(compute: Object) -> list[Any]:
    hosts = compute.database.all(vim.HostSystem)
    return [host.ref for host in hosts if host["parent"] == compute.ref]


@derived(vim.ComputeResource, "datastore")
def _compute_datastores(compute: Object) -> list[Any]:
    return _of_hosts(compute, "datastore")


@derived(vim.ComputeResource, "network")
def _compute_networks(compute: Object) -> list[Any]:
    return _of_hosts(compute, "network")


@derived(vim.HostSystem, "datastore")
def _host_datastores(host: Object) -> list[Any]:
    datastores = host.database.all(vim.Datastore)
    return [found.ref for found in datastores if any(mount.key == host.ref for mount in found["host"])]


@derived(vim.HostSystem, "network")
def _host_networks(host: Object) -> list[Any]:
    networks = host.database.all(vim.Network)
    return [found.ref for found in networks if host.ref in found["host"]]


@derived(vim.Datacenter, "datastore")
def _datacenter_datastores(datacenter: Object) -> list[Any]:
    return _children(datacenter, "datastoreFolder", vim.Datastore)


@derived(vim.Datacenter, "network")
def _datacenter_networks(datacenter: Object) -> list[Any]:
    return _children(datacenter, "networkFolder", vim.Network)


@derived(vim.DistributedVirtualSwitch, "portgroup")
def _port_groups(switch: Object) -> list[Any]:
    groups = switch.database.all(vim.dvs.DistributedVirtualPortgroup)
    return [found.ref for found in groups if found["config.distributedVirtualSwitch"] == switch.ref]


def _of_hosts(compute: Object, field: str) -> list[Any]:
    found: dict[str, Any] = {}
    for ref in compute["host"]:
        found |= {each._moId: each for each in compute.database.get(ref)[field]}
    return list(found.values())


def _children(datacenter: Object, field: str, kind: Any) -> list[Any]:
    pending, found = [datacenter.database.get(datacenter[field])], []
    while pending:
        folder = pending.pop()
        for ref in folder["childEntity"]:
            if issubclass(type(ref), kind):
                found.append(ref)
            elif issubclass(type(ref), vim.Folder):
                pending.append(folder.database.get(ref))
    return found
