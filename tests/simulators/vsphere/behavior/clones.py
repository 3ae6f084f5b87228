"""``CloneVM_Task``: a VM, or a template, with disks of its own."""

import uuid
from dataclasses import replace
from typing import Any

from pyVmomi import vim, vmodl

from simulators.vsphere.behavior.entities import check_name
from simulators.vsphere.behavior.power import switch
from simulators.vsphere.calls import Call
from simulators.vsphere.data import copy, make
from simulators.vsphere.database import Later, Object
from simulators.vsphere.disk_chains import Disk, chain, locate
from simulators.vsphere.files import File
from simulators.vsphere.inventory.entities import add_entity
from simulators.vsphere.inventory.guests import off_guest
from simulators.vsphere.methods import method
from simulators.vsphere.names import stored_name
from simulators.vsphere.tasks import Running

State = vim.VirtualMachine.PowerState
Card = vim.vm.device.VirtualEthernetCard
_CLONE, _DEPLOY = "VirtualMachine.Provisioning.Clone", "VirtualMachine.Provisioning.DeployTemplate"


@method(vim.VirtualMachine, "CloneVM_Task", privilege="System.View")
def clone(call: Call, folder: Object, name: str, spec: Any) -> Any:
    """Make a VM like this one. What is set to customize or to configure it is `NotSupported`."""
    source, location = call.target, spec.location
    call.need(_DEPLOY if source["config.template"] else _CLONE, source)
    if spec.config or spec.customization or spec.snapshot or spec.memory:
        raise vmodl.fault.NotSupported
    if location.disk or location.deviceChange or location.service or location.diskMoveType:
        raise vmodl.fault.NotSupported
    if spec.template and spec.powerOn:
        raise vmodl.fault.InvalidArgument(invalidProperty="spec.powerOn")
    if vim.VirtualMachine not in folder["childType"]:
        raise vmodl.fault.InvalidArgument(invalidProperty="folder")

    def work(running: Running) -> Any:
        stored = stored_name(name)
        check_name(folder, stored)
        pool, host = _place(call, location)
        running.commit()
        store = source["datastore"][0] if location.datastore is None else location.datastore
        made = _make(call, folder, stored, call.resolve(store), is_template=spec.template)
        made["resourcePool"] = None if spec.template else pool.ref
        made["runtime.host"] = host
        if spec.powerOn:
            switch(call.simulator, made, State.poweredOn)
        return made.ref

    # vCenter fails with faults that the method does not declare.
    more = (vim.fault.DuplicateName, vim.fault.InvalidName)
    declared = call.method._replace(faults=(*call.method.faults, *more))
    return replace(call, method=declared).start(work)


def _place(call: Call, location: Any) -> tuple[Object, Any]:
    ref = location.pool or call.target["resourcePool"]
    if ref is None:
        raise vmodl.fault.InvalidArgument(invalidProperty="spec.location.pool")
    pool = call.resolve(ref)
    hosts = list(call.resolve(pool["owner"])["host"])
    if location.host is not None and location.host not in hosts:
        raise vmodl.fault.InvalidArgument(invalidProperty="spec.location.host")
    own = call.target["runtime.host"]
    return pool, location.host or (own if own in hosts else hosts[0])


def _make(call: Call, folder: Object, name: str, store: Object, *, is_template: bool) -> Object:
    source, simulator = call.target, call.simulator
    config = copy(source["config"])
    taken = {path.partition("/")[0] for path in simulator.files.all(store.id)}
    home = next(each for each in (name, *(f"{name}_{n}" for n in range(1, 10_000))) if each not in taken)
    written: list[str] = []

    def write(path: str, file: File) -> str:
        simulator.files.add(store.id, path, file)
        written.append(path)
        return f"[{store['name']}] {path}"

    try:
        suffix = ".vmtx" if is_template else ".vmx"
        config.files.vmPathName = write(f"{home}/{name}{suffix}", File("vmx", 3_072))
        write(f"{home}/{name}.nvram", File("other", 8_684))
        disks: list[Any] = [each for each in config.hardware.device if isinstance(each, Disk)]
        for number, disk in enumerate(disks):
            files = [simulator.files.get(*locate(simulator, each.fileName)) for each in chain(disk.backing)]
            size = min(files[-1].capacity_bytes, sum(file.size_bytes for file in files))
            path = f"{home}/{name}{f'_{number}' if number else ''}.vmdk"
            copied = File("disk", size, files[0].capacity_bytes, files[-1].is_thin)
            disk.backing.fileName, disk.backing.datastore = write(path, copied), store.ref
            disk.backing.parent, disk.backing.uuid = None, str(uuid.uuid4())
    except vmodl.MethodFault:
        for path in written:
            simulator.files.remove(store.id, path)
        raise
    for field in ("snapshotDirectory", "suspendDirectory", "logDirectory"):
        setattr(config.files, field, f"[{store['name']}] {home}/")
    config.name, config.template = name, is_template
    config.uuid, config.instanceUuid = str(uuid.uuid4()), str(uuid.uuid4())
    _set_addresses(call, config)
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
        guest=Later(off_guest, ipAddress=None, hostName=None),
        capability=copy(source["capability"]),
        guestHeartbeatStatus=vim.ManagedEntity.Status.gray,
        datastore=[store.ref],
        network=copy(source["network"]),
    )


def _set_addresses(call: Call, config: Any) -> None:
    """Give the cards new addresses, but for those that are set by hand; none is connected."""
    vms = [vm["config"] for vm in call.database.all(vim.VirtualMachine)]
    taken = {each.macAddress for vm in vms for each in vm.hardware.device if isinstance(each, Card)}
    for each in config.hardware.device:
        if each.connectable is not None:
            each.connectable.connected = False
        if isinstance(each, Card) and each.addressType != "manual":
            digits = (f"{number:04x}" for number in range(2**16))
            found = (f"00:50:56:bf:{number[:2]}:{number[2:]}" for number in digits)
            each.macAddress = next(address for address in found if address not in taken)
            taken.add(each.macAddress)
