"""Standard port groups of hosts."""

from typing import Any

from pyVmomi import vim, vmodl

from simulators.vsphere.calls import Call
from simulators.vsphere.database import Object
from simulators.vsphere.inventory.descent import datacenter_of
from simulators.vsphere.inventory.entities import remove_entity
from simulators.vsphere.inventory.networks import add_network, add_port_group, host_network_id
from simulators.vsphere.methods import method
from simulators.vsphere.names import stored_name

#: 4095 passes all VLANs to the guest.
_MAX_VLAN = 4_095


@method(vim.host.NetworkSystem, "AddPortGroup")
def add(call: Call, portgrp: Any) -> None:
    """Make a port group on a host. The network of its name gains the host, or is made."""
    host = _host(call)
    network = host["config.network"]
    if not portgrp.name:
        raise vmodl.fault.InvalidArgument(invalidProperty="portgrp.name")
    if not 0 <= portgrp.vlanId <= _MAX_VLAN:
        raise vmodl.fault.InvalidArgument(invalidProperty="portgrp.vlanId")
    if all(switch.name != portgrp.vswitchName for switch in network.vswitch):
        raise vim.fault.NotFound
    if any(group.spec.name == portgrp.name for group in network.portgroup):
        raise vim.fault.AlreadyExists(name=portgrp.name)
    add_port_group(host, portgrp.name, portgrp.vlanId, portgrp.vswitchName)
    _join(call, host, portgrp.name)


@method(vim.host.NetworkSystem, "RemovePortGroup")
def remove(call: Call, pg_name: str) -> None:
    """Remove a port group from a host, and its network with the last host that has it."""
    host = _host(call)
    network = host["config.network"]
    group = next((each for each in network.portgroup if each.spec.name == pg_name), None)
    if group is None:
        raise vim.fault.NotFound
    found = _network(host, pg_name)
    if found is not None:
        vms = [call.database.get(ref) for ref in found["vm"]]
        if any(vm["runtime.host"] == host.ref for vm in vms):
            raise vim.fault.ResourceInUse(type=vim.host.PortGroup, name=pg_name)
    network.portgroup.remove(group)
    for switch in network.vswitch:
        if group.key in switch.portgroup:
            switch.portgroup.remove(group.key)
    host.touch()
    if found is None:
        return
    found["host"] = [ref for ref in found["host"] if ref != host.ref]
    if not found["host"]:
        remove_entity(found)


def _join(call: Call, host: Object, name: str) -> Object:
    """Let a host be in the network of a name, and return the network."""
    found = _network(host, name)
    if found is None:
        moid = None if call.simulator.product.is_vcenter else host_network_id(name)
        return add_network(call.database, name, _folder(host), [host], moid)
    found["host"] = [*found["host"], host.ref]
    return found


def _host(call: Call) -> Object:
    hosts = call.database.all(vim.HostSystem)
    return next(host for host in hosts if host["configManager.networkSystem"] == call.target.ref)


def _folder(host: Object) -> Object:
    datacenter = datacenter_of(host)
    if datacenter is None:
        raise AssertionError(f"{host['name']} is in no datacenter")
    return host.database.get(datacenter["networkFolder"])


def _network(host: Object, name: str) -> Object | None:
    """Return the network of the standard port groups of a name in a host's datacenter."""
    datacenter = datacenter_of(host)
    return next(
        (
            found
            for found in host.database.all(vim.Network)
            if found.kind is vim.Network
            and found["name"] == stored_name(name)
            and datacenter_of(found) is datacenter
        ),
        None,
    )
