"""``RegisterVM_Task``: a VM whose files are there already."""

import uuid
from typing import Any

from pyVmomi import vim, vmodl

from simulators.vsphere.behavior.entities import check_name
from simulators.vsphere.behavior.hosts import check_host, choose_host
from simulators.vsphere.calls import Call
from simulators.vsphere.configuration import invalid
from simulators.vsphere.data import copy
from simulators.vsphere.database import Object
from simulators.vsphere.datastore_paths import full_name
from simulators.vsphere.files import split_path
from simulators.vsphere.hardware.plan import Plan
from simulators.vsphere.inventory.guests import Guest, add_vm
from simulators.vsphere.methods import method
from simulators.vsphere.names import stored_name
from simulators.vsphere.tasks import Running
from simulators.vsphere.vmx_files import relocate


@method(vim.Folder, "RegisterVM_Task")
def register(
    call: Call, *, path: str, name: str | None, as_template: bool, pool: Object | None, host: Object | None
) -> Any:
    """Add a VM that was unregistered, or whose files were copied, to the inventory."""
    if vim.VirtualMachine not in call.target["childType"]:
        raise vmodl.fault.NotSupported
    if as_template and not call.simulator.product.is_vcenter:
        raise vmodl.fault.NotSupported
    if as_template != (pool is None):
        raise invalid("pool")
    if pool is None and host is None:
        raise invalid("host")

    def work(running: Running) -> Any:
        if pool is not None:
            place = choose_host(call, pool, host, [split_path(path)[0]])
        else:
            assert host is not None
            check_host(call, place := host)
        plan = Plan(call.simulator, None, host=place)
        store, inside = plan.locate(path)
        plan.config = _configuration(call, store, inside)
        plan.config.name = plan.config.name if name is None else stored_name(name)
        plan.config.template = as_template
        check_name(call.target, plan.config.name)
        datastores, networks = plan.relations()
        running.commit()
        plan.get_file(store, inside).configuration = None
        guest = Guest(plan.config.name, store, [], place, pool, disk_bytes=(), is_template=as_template)
        made = add_vm(call.database, guest, call.target, plan.config)
        made["datastore"], made["network"] = datastores, networks
        call.simulator.guests.stop(made)
        return made.ref

    return call.start(work)


def _configuration(call: Call, store: Object, path: str) -> Any:
    """Return what a configuration file contains.

    :raises AlreadyExists: a VM has it
    :raises NotFound: it is not there
    :raises InvalidVmConfig: it is not a configuration file
    """
    full = full_name(store, path)
    for vm in call.database.all(vim.VirtualMachine):
        if vm["config.files.vmPathName"] == full:
            raise vim.fault.AlreadyExists(name=full)
    found = call.simulator.files.find(store.id, path)
    if found is None:
        raise vim.fault.NotFound
    if found.kind != "vmx":
        raise vim.fault.InvalidVmConfig
    if found.configuration is None:
        raise vmodl.fault.NotImplemented(msg="The simulator does not read configuration files from clients.")
    config = copy(found.configuration)
    relocate(config, full)
    if call.simulator.product.is_vcenter and call.database.by_uuid(config.instanceUuid, instance=True):
        config.instanceUuid = str(uuid.uuid4())  # vCenter lets no two VMs have the same
    return config
