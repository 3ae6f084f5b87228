"""``CloneVM_Task``: a VM, or a template, with disks of its own."""

import uuid
from dataclasses import replace
from typing import Any

from pyVmomi import vim, vmodl

from simulators.vsphere.behavior.entities import check_name
from simulators.vsphere.behavior.hosts import choose_host, is_ready, mounts
from simulators.vsphere.behavior.power import switch
from simulators.vsphere.calls import Call
from simulators.vsphere.configuration import configure
from simulators.vsphere.data import copy, make
from simulators.vsphere.database import Object
from simulators.vsphere.disk_chains import chain, copied, disks_of, locate
from simulators.vsphere.files import File
from simulators.vsphere.hardware.cards import give_addresses
from simulators.vsphere.hardware.changes import change_devices
from simulators.vsphere.hardware.plan import Plan, check_known
from simulators.vsphere.inventory.entities import add_entity
from simulators.vsphere.methods import method
from simulators.vsphere.names import stored_name
from simulators.vsphere.tasks import Running

State = vim.VirtualMachine.PowerState
#: What a clone needs on its source: by whether that is a template, and whether the clone will be one.
_PRIVILEGES = {
    (False, False): "VirtualMachine.Provisioning.Clone",
    (False, True): "VirtualMachine.Provisioning.CreateTemplateFromVM",
    (True, False): "VirtualMachine.Provisioning.DeployTemplate",
    (True, True): "VirtualMachine.Provisioning.CloneTemplate",
}
#: What the simulator has of a specification, and of the place in it.
_CLONE = frozenset({"location", "template", "config", "customization", "powerOn", "snapshot", "memory"})
_LOCATION = frozenset({"service", "datastore", "diskMoveType", "pool", "host", "disk", "deviceChange"})
#: Ways of copying disks that leave no delta of the source's; others are `NotSupported`.
_WHOLE_COPIES = (None, "", "moveAllDiskBackingsAndDisallowSharing", "moveAllDiskBackingsAndConsolidate")


@method(vim.VirtualMachine, "CloneVM_Task", privilege="System.View")
def clone(call: Call, folder: Object, name: str, spec: Any) -> Any:
    """Make a VM like this one, or like a snapshot of it, and change its configuration.

    What is set to customize it or to share its disks is `NotSupported`.
    """
    source, location = call.target, spec.location
    store = call.resolve(source["datastore"][0] if location.datastore is None else location.datastore)
    _check_privileges(call, folder, spec, store)
    if spec.customization or spec.memory or location.disk or location.service:
        raise vmodl.fault.NotSupported
    if location.diskMoveType not in _WHOLE_COPIES:
        raise vmodl.fault.NotSupported
    for part, known in ((spec, _CLONE), (location, _LOCATION)):
        check_known(part, known)
    if spec.template and spec.powerOn:
        raise vmodl.fault.InvalidArgument(invalidProperty="spec.powerOn")
    if vim.VirtualMachine not in folder["childType"]:
        raise vmodl.fault.InvalidArgument(invalidProperty="folder")

    def work(running: Running) -> Any:
        stored = stored_name(name)
        check_name(folder, stored)
        pool, host = _place(call, location, store["name"])
        origin = _origin(call, spec)
        running.commit()
        plan = Plan(call.simulator, copy(origin), host=call.resolve(host))
        with plan.all_or_nothing():
            _copy(plan, store, stored, is_template=spec.template)
            _change(plan, origin, spec)
            datastores, networks = plan.relations()
        made = _add(call, folder, stored, plan.config)
        made["datastore"], made["network"] = datastores, networks
        made["resourcePool"] = None if spec.template else pool.ref
        made["runtime.host"] = host
        call.simulator.guests.stop(made)
        if spec.powerOn:
            switch(call.simulator, made, State.poweredOn)
        return made.ref

    # vCenter fails with faults that the method does not declare.
    more = (vim.fault.DuplicateName, vim.fault.InvalidName)
    declared = call.method._replace(faults=(*call.method.faults, *more))
    return replace(call, method=declared).start(work, is_shared=True)


def _check_privileges(call: Call, folder: Object, spec: Any, store: Object) -> None:
    source = call.target
    call.need(_PRIVILEGES[bool(source["config.template"]), spec.template], source)
    call.need("VirtualMachine.Inventory.CreateFromExisting", folder)
    call.need("Datastore.AllocateSpace", store)
    pool = spec.location.pool or source["resourcePool"]
    if pool is not None and not spec.template:
        call.need("Resource.AssignVMToPool", call.resolve(pool))


def _origin(call: Call, spec: Any) -> Any:
    """Return the configuration to clone: the VM's, or that of a snapshot of it."""
    if spec.snapshot is None:
        return call.target["config"]
    snapshot = call.resolve(spec.snapshot)
    if snapshot["vm"] != call.target.ref:
        raise vmodl.fault.InvalidArgument(invalidProperty="spec.snapshot")
    return snapshot["config"]


def _place(call: Call, location: Any, store: str) -> tuple[Object, Any]:
    ref = location.pool or call.target["resourcePool"]
    if ref is None:
        raise vmodl.fault.InvalidArgument(invalidProperty="spec.location.pool")
    pool = call.resolve(ref)
    hosts = list(call.resolve(pool["owner"])["host"])
    wanted, own = location.host, call.target["runtime.host"]
    if wanted is not None and wanted not in hosts:
        raise vmodl.fault.InvalidArgument(invalidProperty="spec.location.host")
    if wanted is None and own in hosts and is_ready(call.resolve(own)) and mounts(call.resolve(own), store):
        wanted = own
    return pool, choose_host(call, pool, None if wanted is None else call.resolve(wanted), [store]).ref


def _copy(plan: Plan, store: Object, name: str, *, is_template: bool) -> None:
    """Give a copy of a configuration its own name, files and IDs."""
    files, config = plan.simulator.files, plan.config
    taken = {path.partition("/")[0] for path in files.all(store.id)}
    home = next(each for each in (name, *(f"{name}_{n}" for n in range(1, 10_000))) if each not in taken)

    def write(path: str, file: File) -> str:
        plan.add_file(store, path, file)
        return f"[{store['name']}] {path}"

    suffix = ".vmtx" if is_template else ".vmx"
    config.files.vmPathName = write(f"{home}/{name}{suffix}", File("vmx", 3_072))
    write(f"{home}/{name}.nvram", File("other", 8_684))
    for number, disk in enumerate(disks_of(config)):
        chained = [files.get(*locate(plan.simulator, each.fileName)) for each in chain(disk.backing)]
        path = f"{home}/{name}{f'_{number}' if number else ''}.vmdk"
        made = copied(chained, is_thin=chained[-1].is_thin)
        disk.backing.fileName, disk.backing.datastore = write(path, made), store.ref
        disk.backing.parent, disk.backing.uuid = None, str(uuid.uuid4())
    for field in ("snapshotDirectory", "suspendDirectory", "logDirectory"):
        setattr(config.files, field, f"[{store['name']}] {home}/")
    config.name, config.template = name, is_template
    config.uuid, config.instanceUuid = str(uuid.uuid4()), str(uuid.uuid4())
    for each in plan.devices:
        if each.connectable is not None:
            each.connectable.connected = False
    give_addresses(plan)


def _change(plan: Plan, origin: Any, spec: Any) -> None:
    """Change the configuration of a clone as its specification has it."""
    wanted = spec.config or vim.vm.ConfigSpec()
    configure(plan, wanted)
    copies = {each.key: each.backing.fileName for each in disks_of(plan.config)}
    names = {each.backing.fileName: copies[each.key] for each in disks_of(origin)}
    changes = copy([*spec.location.deviceChange, *wanted.deviceChange])
    for change in changes:
        # Clients send the source's disks, since they do not know the names of the copies.
        own = getattr(change.device.backing, "fileName", None)
        if change.operation != vim.vm.device.VirtualDeviceSpec.Operation.add and own in names:
            change.device.backing.fileName = names[own]
    change_devices(plan, changes)


def _add(call: Call, folder: Object, name: str, config: Any) -> Object:
    source = call.target
    runtime = make(
        vim.vm.RuntimeInfo,
        **{**source["runtime"].__dict__, "powerState": State.poweredOff, "bootTime": None},
    )
    runtime.suspendTime, runtime.consolidationNeeded = None, False
    return add_entity(
        call.database,
        vim.VirtualMachine,
        name,
        folder,
        config=config,
        runtime=runtime,
        capability=copy(source["capability"]),
    )
