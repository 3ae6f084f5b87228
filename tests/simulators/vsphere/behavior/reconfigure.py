"""``ReconfigVM_Task``."""

from typing import Any

from pyVmomi import vim, vmodl

from simulators.vsphere.behavior.entities import check_name
from simulators.vsphere.behavior.questions import ask_ordered, ask_to_open
from simulators.vsphere.calls import Call
from simulators.vsphere.configuration import configure
from simulators.vsphere.data import copy
from simulators.vsphere.disk_chains import all_file_names
from simulators.vsphere.hardware.changes import change_devices
from simulators.vsphere.hardware.plan import Plan, given
from simulators.vsphere.methods import method
from simulators.vsphere.names import stored_name
from simulators.vsphere.snapshot_trees import configs_of
from simulators.vsphere.tasks import Running

#: What fields need; others need ``VirtualMachine.Config.Settings``.
_PRIVILEGES = {
    "name": "VirtualMachine.Config.Rename",
    "annotation": "VirtualMachine.Config.Annotation",
    "numCPUs": "VirtualMachine.Config.CPUCount",
    "numCoresPerSocket": "VirtualMachine.Config.CPUCount",
    "memoryMB": "VirtualMachine.Config.Memory",
    "extraConfig": "VirtualMachine.Config.AdvancedConfig",
    "cpuAllocation": "VirtualMachine.Config.Resource",
    "memoryAllocation": "VirtualMachine.Config.Resource",
    "changeVersion": "System.View",
}


@method(vim.VirtualMachine, "ReconfigVM_Task", privilege="System.View")
def reconfigure(call: Call, spec: Any) -> Any:
    """Change the configuration of a VM: all of what is wanted, or nothing."""
    vm = call.target
    for name in given(spec):
        if name == "deviceChange":
            for change in spec.deviceChange:
                call.need(_device_privilege(change), vm)
        else:
            call.need(_PRIVILEGES.get(name, "VirtualMachine.Config.Settings"), vm)

    def work(running: Running) -> None:
        version = vm["config.changeVersion"]
        if spec.changeVersion not in (None, "", version):
            raise vim.fault.ConcurrentAccess
        if vm["config.template"] and (spec.deviceChange or spec.numCPUs or spec.memoryMB):
            raise vmodl.fault.NotSupported
        ask_ordered(call, running)
        ask_to_open(call, running, spec.deviceChange)
        running.commit()
        plan = Plan(
            call.simulator,
            copy(vm["config"]),
            host=call.resolve(vm["runtime.host"]),
            state=vm["runtime.powerState"],
            has_snapshots=vm["snapshot"] is not None,
            kept_files=frozenset(all_file_names(configs_of(vm)[1:])),
        )
        with plan.all_or_nothing():
            if spec.name is not None:
                plan.config.name = stored_name(spec.name)
                if vm["parent"] is not None:
                    check_name(call.resolve(vm["parent"]), plan.config.name, besides=vm)
            configure(plan, spec)
            change_devices(plan, spec.deviceChange)
            datastores, networks = plan.relations()
        vm["config"] = plan.config
        vm["name"] = plan.config.name
        vm["datastore"], vm["network"] = datastores, networks

    return call.start(work)


def _device_privilege(change: Any) -> str:
    device, operations = vim.vm.device, vim.vm.device.VirtualDeviceSpec.Operation
    if not isinstance(change.device, device.VirtualDisk):
        edits = change.operation == operations.edit
        return f"VirtualMachine.Config.{'EditDevice' if edits else 'AddRemoveDevice'}"
    if change.operation == operations.add:
        kind = "AddExistingDisk" if change.fileOperation is None else "AddNewDisk"
    else:
        kind = "RemoveDisk" if change.operation == operations.remove else "DiskExtend"
    return f"VirtualMachine.Config.{kind}"
