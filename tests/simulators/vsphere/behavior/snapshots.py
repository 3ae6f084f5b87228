"""Snapshots of VMs: a tree, of which one is the current one."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pyVmomi import vim, vmodl

from simulators.vsphere import disk_chains
from simulators.vsphere.behavior.power import switch
from simulators.vsphere.calls import Call
from simulators.vsphere.data import copy, make
from simulators.vsphere.database import Object
from simulators.vsphere.derived import derived
from simulators.vsphere.inventory.devices import cards_of
from simulators.vsphere.methods import method
from simulators.vsphere.snapshot_files import add_state, remove_state
from simulators.vsphere.snapshot_trees import configs_of, find_node, nodes_of, path_of, walk, without
from simulators.vsphere.tasks import Running

if TYPE_CHECKING:
    from simulators.vsphere.simulator import Simulator

State = vim.VirtualMachine.PowerState
_MAX_LEVELS, _MAX_NAME = 32, 80
_Sharing = vim.vm.device.VirtualSCSIController.Sharing
_Tree = vim.vm.SnapshotTree


@method(vim.VirtualMachine, "CreateSnapshot_Task")
def create(call: Call, name: str, description: str | None, memory: bool, quiesce: bool) -> Any:
    """Make a snapshot, which becomes the current one."""
    return _start(call, call.target, lambda: _create(call, name, description, memory, is_quiesced=quiesce))


@method(vim.VirtualMachine, "CreateSnapshotEx_Task")
def create_ex(call: Call, name: str, description: str | None, memory: bool, quiesce_spec: Any) -> Any:
    """Make a snapshot, which becomes the current one."""
    is_quiesced = quiesce_spec is not None
    return _start(
        call, call.target, lambda: _create(call, name, description, memory, is_quiesced=is_quiesced)
    )


@method(vim.vm.Snapshot, "RevertToSnapshot_Task")
def revert(call: Call, host: Object | None, suppress_power_on: bool | None) -> Any:
    """Let a VM be as it was."""
    vm = call.resolve(call.target["vm"])
    return _start(call, vm, lambda: _revert(call, vm, call.target, host, bool(suppress_power_on)))


@method(vim.VirtualMachine, "RevertToCurrentSnapshot_Task")
def revert_to_current(call: Call, host: Object | None, suppress_power_on: bool | None) -> Any:
    """Let a VM be as it was at its current snapshot."""

    def work() -> None:
        if call.target["snapshot"] is None:
            raise vim.fault.NotFound
        current = call.resolve(call.target["snapshot.currentSnapshot"])
        try:
            _revert(call, call.target, current, host, bool(suppress_power_on))
        except vim.fault.FileFault as error:
            # The method declares no faults of files, in contrast to RevertToSnapshot_Task.
            reason = f"{type(error).__name__}: {error.file}"
            raise vim.fault.GenericVmConfigFault(reason=reason) from error

    return _start(call, call.target, work)


@method(vim.vm.Snapshot, "RemoveSnapshot_Task")
def remove(call: Call, remove_children: bool, consolidate: bool | None) -> Any:
    """Remove a snapshot: its children go up to its parent, unless they are removed too."""
    vm = call.resolve(call.target["vm"])

    def work() -> None:
        if call.database.find(call.target.id) is not call.target:
            raise vmodl.fault.ManagedObjectNotFound(obj=call.target.ref)
        node = find_node(vm, call.target.ref)
        gone = list(walk([node])) if remove_children else [node]
        _remove(call.simulator, vm, gone, is_consolidated=consolidate is not False)

    return _start(call, vm, work)


@method(vim.VirtualMachine, "RemoveAllSnapshots_Task")
def remove_all(call: Call, consolidate: bool | None, spec: Any) -> Any:
    """Remove all snapshots."""
    if spec is not None:
        raise vmodl.fault.NotSupported

    def work() -> None:
        gone = list(nodes_of(call.target))
        _remove(call.simulator, call.target, gone, is_consolidated=consolidate is not False)

    return _start(call, call.target, work)


@method(vim.VirtualMachine, "ConsolidateVMDisks_Task")
def consolidate(call: Call) -> Any:
    """Merge the deltas that snapshots have left which were removed without consolidation."""

    def work() -> None:
        disk_chains.consolidate(call.simulator, configs_of(call.target))
        call.target["runtime.consolidationNeeded"] = False

    return _start(call, call.target, work)


@method(vim.vm.Snapshot, "RenameSnapshot")
def rename(call: Call, name: str | None, description: str | None) -> None:
    """Change a snapshot's name or description."""
    vm = call.resolve(call.target["vm"])
    busy = call.simulator.tasks.busy_with(vm)
    if busy is not None:
        raise vim.fault.TaskInProgress(task=busy.ref)
    node = find_node(vm, call.target.ref)
    if name is not None:
        node.name = _checked(name)
    if description is not None:
        node.description = description
    vm.touch()


@derived(vim.vm.Snapshot, "childSnapshot")
def _child_snapshots(snapshot: Object) -> list[Any]:
    node = find_node(snapshot.database.get(snapshot["vm"]), snapshot.ref)
    return [child.snapshot for child in node.childSnapshotList]


def _start(call: Call, vm: Object, work: Callable[[], Any]) -> Any:
    if vm["config.template"]:
        raise vmodl.fault.NotSupported

    def run(running: Running) -> Any:
        running.commit()
        return work()

    return call.start(run, vm)


def _create(call: Call, name: str, description: str | None, memory: bool, *, is_quiesced: bool) -> Any:
    vm, simulator = call.target, call.simulator
    _checked(name)
    parents = path_of(vm)
    if len(parents) >= _MAX_LEVELS:
        raise vim.fault.TooManySnapshotLevels
    state = vm["runtime.powerState"]
    if state != State.poweredOff:
        _check_buses(vm["config"])
    has_memory = state == State.suspended or (memory and state == State.poweredOn)
    config = vm["config"]
    if has_memory and len(disk_chains.snapshot_disks(config)) != len(disk_chains.disks_of(config)):
        raise vim.fault.MemorySnapshotOnIndependentDisk
    number = call.database.new_id(vim.vm.Snapshot)
    kept = copy(config)
    disk_chains.add_deltas(simulator, config)
    moid = number if simulator.product.is_vcenter else f"{vm.id}-{number}"
    made = call.database.add(vim.vm.Snapshot, moid, config=kept, vm=vm.ref)
    try:
        add_state(simulator, made, has_memory=has_memory)
    except vmodl.MethodFault:
        before = disk_chains.file_names([config])
        config.hardware = copy(kept.hardware)
        disk_chains.remove_unneeded(simulator, before, configs_of(vm))
        call.database.remove(made)
        raise
    has_tools = vm["guest.toolsRunningStatus"] == "guestToolsRunning"
    node = make(
        _Tree,
        snapshot=made.ref,
        vm=vm.ref,
        name=name,
        description=description or "",
        id=int(moid.rpartition("-")[2]),
        createTime=datetime.now(UTC),
        state=state if has_memory else State.poweredOff,
        quiesced=is_quiesced and has_tools and not memory,
        replaySupported=False,
    )
    info = vm["snapshot"] or make(vim.vm.SnapshotInfo)
    (parents[-1].childSnapshotList if parents else info.rootSnapshotList).append(node)
    info.currentSnapshot = made.ref
    _show(vm, info)
    return made.ref


def _check_buses(config: Any) -> None:
    """Check that no other VM can write to the disks of a VM that runs.

    :raises SharedBusControllerNotSupported: one can, on another host or on the same
    """
    for each in config.hardware.device:
        if getattr(each, "sharedBus", _Sharing.noSharing) != _Sharing.noSharing:
            raise vim.fault.SharedBusControllerNotSupported(device=each.deviceInfo.label)


def _revert(call: Call, vm: Object, snapshot: Object, host: Object | None, suppresses: bool) -> None:
    simulator = call.simulator
    node = find_node(vm, snapshot.ref)
    disk_chains.check_files(simulator, snapshot["config"])
    before = disk_chains.file_names([vm["config"]])
    config = copy(snapshot["config"])
    config.name, config.files = vm["config.name"], vm["config.files"]
    disk_chains.add_deltas(simulator, config)
    lost = {disk.key for disk in disk_chains.snapshot_disks(vm["config"])}
    lost -= {disk.key for disk in disk_chains.snapshot_disks(config)}
    left = [disk for disk in disk_chains.snapshot_disks(vm["config"]) if disk.key in lost]
    before -= {backing.fileName for disk in left for backing in disk_chains.chain(disk.backing)}
    if host is not None:
        vm["runtime.host"] = host.ref
    vm["config"] = config
    vm["datastore"] = _datastores(simulator, config)
    vm["network"] = _networks(vm, config)
    disk_chains.remove_unneeded(simulator, before, configs_of(vm))
    vm["snapshot.currentSnapshot"] = snapshot.ref
    wanted = State.suspended if suppresses and node.state == State.poweredOn else node.state
    switch(simulator, vm, wanted)


def _datastores(simulator: "Simulator", config: Any) -> list[Any]:
    """Return the datastores that a configuration uses."""
    backings: list[Any] = [each.backing for each in config.hardware.device]
    names = [name for each in backings if (name := getattr(each, "fileName", None))]
    ids = [disk_chains.locate(simulator, name)[0] for name in (config.files.vmPathName, *names)]
    found = [simulator.database.find(each) for each in dict.fromkeys(ids)]
    return [each.ref for each in found if each is not None]


def _networks(vm: Object, config: Any) -> list[Any]:
    """Return the networks that are left of those that the cards of a configuration are in."""
    ids = []
    for backing in (card.backing for card in cards_of(config)):
        port = getattr(backing, "port", None)
        ids.append(backing.network._moId if port is None else port.portgroupKey)
    return [found.ref for each in dict.fromkeys(ids) if (found := vm.database.find(each)) is not None]


def _remove(simulator: "Simulator", vm: Object, gone: list[Any], *, is_consolidated: bool) -> None:
    info = vm["snapshot"]
    if info is None:
        return
    refs = {node.snapshot for node in gone}
    current = [node for node in path_of(vm) if node.snapshot not in refs]
    before = disk_chains.file_names(configs_of(vm))
    info.rootSnapshotList[:] = without(info.rootSnapshotList, refs)
    info.currentSnapshot = current[-1].snapshot if current else None
    for ref in refs:
        found = vm.database.get(ref)
        remove_state(simulator, found)
        vm.database.remove(found)
    _show(vm, info)
    disk_chains.remove_unneeded(simulator, before, configs_of(vm))
    if is_consolidated:
        disk_chains.consolidate(simulator, configs_of(vm))
    vm["runtime.consolidationNeeded"] = not is_consolidated
    vm.touch()


def _show(vm: Object, info: Any) -> None:
    roots = [node.snapshot for node in info.rootSnapshotList]
    vm["snapshot"] = info if roots else None
    vm["rootSnapshot"] = roots


def _checked(name: str) -> str:
    if not name or len(name) > _MAX_NAME:
        raise vim.fault.InvalidName(name=name)
    return name
