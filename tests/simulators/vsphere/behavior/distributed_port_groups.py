"""Distributed port groups."""

from typing import Any

from pyVmomi import vim, vmodl

from simulators.vsphere.behavior.entities import check_name
from simulators.vsphere.calls import Call
from simulators.vsphere.database import Object
from simulators.vsphere.inventory.entities import remove_entity
from simulators.vsphere.inventory.networks import add_distributed_port_group
from simulators.vsphere.methods import method
from simulators.vsphere.names import stored_name
from simulators.vsphere.tasks import Running

_Vlan = vim.dvs.VmwareDistributedVirtualSwitch.VlanIdSpec
#: A distributed port group has other types for trunks.
_MAX_VLAN = 4_094
_TYPES = ("earlyBinding", "lateBinding", "ephemeral")


@method(vim.DistributedVirtualSwitch, "CreateDVPortgroup_Task")
def create(call: Call, spec: Any) -> Any:
    """Make a port group in a distributed switch. The task's result is the port group."""

    def work(running: Running) -> Any:
        running.commit()
        return _add(call, spec).ref

    return call.start(work)


@method(vim.DistributedVirtualSwitch, "AddDVPortgroup_Task")
def add(call: Call, spec: list[Any]) -> Any:
    """Make several port groups, or none if one of them cannot be made."""

    def work(running: Running) -> None:
        running.commit()
        made: list[Object] = []
        try:
            made.extend(_add(call, each) for each in spec)
        except vmodl.MethodFault:
            for group in made:
                remove_entity(group)
            raise

    return call.start(work)


@method(vim.dvs.DistributedVirtualPortgroup, "ReconfigureDVPortgroup_Task", privilege="DVPortgroup.Modify")
def reconfigure(call: Call, spec: Any) -> Any:
    """Change a port group's name, description or VLAN."""

    def work(running: Running) -> None:
        running.commit()
        config = call.target["config"]
        if spec.configVersion is None:
            raise vmodl.fault.InvalidArgument(invalidProperty="spec.configVersion")
        if spec.configVersion != config.configVersion:
            raise vim.fault.ConcurrentAccess
        vlan = _vlan(spec)
        if spec.name is not None:
            name = stored_name(spec.name)
            check_name(call.resolve(call.target["parent"]), name, besides=call.target)
            call.target["name"] = config.name = name
        if vlan is not None:
            config.defaultPortConfig.vlan = _Vlan(inherited=False, vlanId=vlan)
        if spec.description is not None:
            config.description = spec.description
        config.configVersion = str(int(config.configVersion) + 1)
        call.target.touch()

    return call.start(work)


@method(vim.dvs.DistributedVirtualPortgroup, "Destroy_Task", privilege="DVPortgroup.Delete")
def destroy(call: Call) -> Any:
    """Remove a port group that no VM uses."""

    def work(running: Running) -> None:
        running.commit()
        if call.target["vm"] or call.target["config.uplink"]:
            raise vim.fault.ResourceInUse(type=vim.dvs.DistributedVirtualPortgroup, name=call.target["name"])
        remove_entity(call.target)

    return call.start(work)


def _add(call: Call, spec: Any) -> Object:
    if spec.type not in _TYPES:
        raise vmodl.fault.InvalidArgument(invalidProperty="spec.type")
    name = stored_name(spec.name or "")
    folder = call.resolve(call.target["parent"])
    check_name(folder, name)
    made = add_distributed_port_group(call.database, name, folder, call.target, _vlan(spec) or 0)
    config = made["config"]
    config.type, config.description = spec.type, spec.description
    if spec.numPorts is not None:
        config.numPorts = spec.numPorts
    return made


def _vlan(spec: Any) -> int | None:
    """Return the VLAN that a specification has; None if it has none."""
    vlan = getattr(spec.defaultPortConfig, "vlan", None)
    if vlan is None:
        return None
    if not isinstance(vlan, _Vlan):
        raise vmodl.fault.NotSupported
    if not 0 <= vlan.vlanId <= _MAX_VLAN:
        raise vmodl.fault.InvalidArgument(invalidProperty="spec.defaultPortConfig.vlan.vlanId")
    number: int = vlan.vlanId
    return number
