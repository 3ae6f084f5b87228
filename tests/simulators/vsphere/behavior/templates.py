"""VMs that become templates, and templates that become VMs."""

from pyVmomi import vim, vmodl

from simulators.vsphere.calls import Call
from simulators.vsphere.database import Object
from simulators.vsphere.files import split_path
from simulators.vsphere.methods import method

State = vim.VirtualMachine.PowerState


@method(vim.VirtualMachine, "MarkAsTemplate")
def mark_as_template(call: Call) -> None:
    """Let a VM that is off be a template, which is in no resource pool."""
    vm = call.target
    if vm["config.template"]:
        raise vmodl.fault.NotSupported
    state = vm["runtime.powerState"]
    if state != State.poweredOff:
        raise vim.fault.InvalidPowerState(requestedState=State.poweredOff, existingState=state)
    if vm["parent"] is None:
        raise vim.fault.InvalidState  # it is in a vApp
    _rename_configuration(call, ".vmtx")
    vm["config.template"], vm["resourcePool"] = True, None


@method(vim.VirtualMachine, "MarkAsVirtualMachine")
def mark_as_virtual_machine(call: Call, pool: Object, host: Object | None) -> None:
    """Let a template be a VM in a resource pool."""
    vm = call.target
    if not vm["config.template"]:
        raise vmodl.fault.NotSupported
    compute = call.resolve(pool["owner"])
    chosen = vm["runtime.host"] if host is None else host.ref
    if chosen not in list(compute["host"]):
        raise vmodl.fault.InvalidArgument(invalidProperty="pool" if host is None else "host")
    _rename_configuration(call, ".vmx")
    vm["config.template"], vm["resourcePool"], vm["runtime.host"] = False, pool.ref, chosen


def _rename_configuration(call: Call, suffix: str) -> None:
    vm, files = call.target, call.simulator.files
    old = vm["config.files.vmPathName"]
    new = old.rpartition(".")[0] + suffix
    label, path = split_path(old)
    store = call.database.by_name(vim.Datastore, label).id
    files.add(store, split_path(new)[1], files.get(store, path))
    files.remove(store, path)
    vm["config.files.vmPathName"] = new
