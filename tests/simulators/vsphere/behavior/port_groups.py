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
    _check(host, portgrp)
    if _find(host, portgrp.name) is not None:
        raise vim.fault.AlreadyExists(name=portgrp.name)
    add_port_group(host, portgrp.name, portgrp.vlanId, portgrp.vswitchName)
    _join(call, host, portgrp.name)


@method(vim.host.NetworkSystem, "UpdatePortGroup")
def update(call: Call, pg_name: str, portgrp: Any) -> None:
    """Change a port group: its VLAN, its switch, or its name, which moves the host to another network.

    The name of a port group that VMs use stays: the simulator does not have VMs whose network is gone.
    """
    host = _host(call)
    group = _need(host, pg_name)
    _check(host, portgrp)
    is_renamed = portgrp.name != pg_name
    if is_renamed and _find(host, portgrp.name) is not None:
        raise vim.fault.AlreadyExists(name=portgrp.name)
    if is_renamed and _is_used(host, pg_name):
        raise vim.fault.HostConfigFault
    position = host["config.network"].portgroup.index(group)
    _take_out(host, group)
    add_port_group(host, portgrp.name, portgrp.vlanId, portgrp.vswitchName)
    groups = host["config.network"].portgroup
    groups.insert(position, groups.pop())
    if is_renamed:
        _leave(host, pg_name)
        _join(call, host, portgrp.name)


@method(vim.host.NetworkSystem, "RemovePortGroup")
def remove(call: Call, pg_name: str) -> None:
    """Remove a port group from a host, and its network with the last host that has it."""
    host = _host(call)
    group = _need(host, pg_name)
    if _is_used(host, pg_name):
        raise vim.fault.ResourceInUse(type=vim.host.PortGroup, name=pg_name)
    _take_out(host, group)
    _leave(host, pg_name)


def _check(host: Object, spec: Any) -> None:
    """Check what a port group is to be."""
    if not spec.name:
        raise vmodl.fault.InvalidArgument(invalidProperty="portgrp.name")
    if not 0 <= spec.vlanId <= _MAX_VLAN:
        raise vmodl.fault.InvalidArgument(invalidProperty="portgrp.vlanId")
    if all(switch.name != spec.vswitchName for switch in host["config.network"].vswitch):
        raise vim.fault.NotFound


def _find(host: Object, name: str) -> Any:
    groups = host["config.network"].portgroup
    return next((each for each in groups if each.spec.name == name), None)


def _need(host: Object, name: str) -> Any:
    found = _find(host, name)
    if found is None:
        raise vim.fault.NotFound
    return found


def _is_used(host: Object, name: str) -> bool:
    """Return whether VMs of a host are in a network."""
    network = _network(host, name)
    vms = [] if network is None else [host.database.get(ref) for ref in network["vm"]]
    return any(vm["runtime.host"] == host.ref for vm in vms)


def _take_out(host: Object, group: Any) -> None:
    network = host["config.network"]
    network.portgroup.remove(group)
    for switch in network.vswitch:
        if group.key in switch.portgroup:
            switch.portgroup.remove(group.key)
    host.touch()


def _leave(host: Object, name: str) -> None:
    """Take a host out of the network of a name, which ends with its last host."""
    found = _network(host, name)
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
    """Return the host whose networks these are.

    :raises HostNotConnected: vCenter does not reach it
    """
    hosts = call.database.all(vim.HostSystem)
    host = next(each for each in hosts if each["configManager.networkSystem"] == call.target.ref)
    if host["runtime.connectionState"] != vim.HostSystem.ConnectionState.connected:
        raise vmodl.fault.HostNotConnected
    return host


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
