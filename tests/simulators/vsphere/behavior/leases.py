"""``ExportVm``, ``ImportVApp``, and the methods of leases."""

from typing import Any

from pyVmomi import vim, vmodl

from simulators.vsphere.behavior.creation import check_spec, make_vm
from simulators.vsphere.behavior.entities import check_name
from simulators.vsphere.calls import Call
from simulators.vsphere.database import Object
from simulators.vsphere.disk_chains import chain, disks_of, locate
from simulators.vsphere.hardware.plan import check_known
from simulators.vsphere.inventory.entities import remove_entity
from simulators.vsphere.leases import Lease, LeaseFile, State
from simulators.vsphere.methods import method
from simulators.vsphere.names import stored_name
from simulators.vsphere.tasks import check_connected

PowerState = vim.VirtualMachine.PowerState


@method(vim.VirtualMachine, "ExportVm")
def export(call: Call) -> Any:
    """Let a client fetch the disks of a VM that does not run."""
    need_address(call)
    check_connected(call.target)
    state = call.target["runtime.powerState"]
    if state == PowerState.poweredOn:
        raise vim.fault.InvalidPowerState(requestedState=PowerState.poweredOff, existingState=state)
    return call.simulator.leases.start(call, call.target, _files(call, call.target))


@method(vim.ResourcePool, "ImportVApp")
def import_vapp(call: Call, spec: Any, folder: Object | None, host: Object | None) -> Any:
    """Create a VM, and let a client send its disks. vApps are `NotSupported`."""
    need_address(call)
    if not isinstance(spec, vim.vm.VmImportSpec) or spec.resPoolEntity is not None:
        raise vmodl.fault.NotSupported
    if folder is None:
        if call.simulator.product.is_vcenter:
            raise vmodl.fault.InvalidArgument(invalidProperty="folder")
        folder = call.resolve(call.database.one(vim.Datacenter)["vmFolder"])
    call.need("VirtualMachine.Inventory.Create", folder)
    check_known(spec, ("configSpec",))
    config: Any = spec.configSpec
    check_spec(folder, config)
    check_name(folder, stored_name(config.name))
    try:
        vm, plan = make_vm(call, folder, config, call.target, host)
    except vim.fault.InvalidState as fault:
        return call.simulator.leases.refuse(call, fault)
    except vim.fault.AlreadyExists as fault:
        raise vim.fault.FileAlreadyExists(file=fault.name) from fault
    files = _files(call, vm)

    def undo() -> None:
        remove_entity(vm)
        plan.roll_back()

    return call.simulator.leases.start(call, vm, files, undo)


@method(vim.HttpNfcLease, "HttpNfcLeaseProgress", privilege="System.View")
def progress(call: Call, percent: int) -> None:
    """Hold a lease for longer."""
    lease = _get(call)
    if not lease.is_held:
        raise vim.fault.Timedout
    if not 0 <= percent <= 100:
        raise vmodl.fault.InvalidArgument(invalidProperty="percent")
    call.simulator.leases.renew(lease)
    lease.object["transferProgress"] = percent


@method(vim.HttpNfcLease, "HttpNfcLeaseComplete", privilege="System.View")
def complete(call: Call) -> None:
    """End a lease. vSphere does not look whether all files have come, nor does the simulator."""
    lease = _get_held(call)
    if lease.object["state"] != State.ready:
        raise vim.fault.InvalidState
    call.simulator.leases.complete(lease)


@method(vim.HttpNfcLease, "HttpNfcLeaseAbort", privilege="System.View")
def abort(call: Call, fault: Any) -> None:
    """End a lease, and remove what was imported."""
    call.simulator.leases.fail(_get_held(call), fault or vmodl.fault.RequestCanceled())


@method(vim.HttpNfcLease, "HttpNfcLeaseGetManifest", privilege="System.View")
def get_manifest(call: Call) -> list[Any]:
    """Return the checksums of the files that were fetched."""
    lease = _get_held(call)
    if lease.is_import or lease.object["state"] != State.ready:
        raise vim.fault.InvalidState
    return [file.manifest for file in lease.files if file.manifest is not None]


def need_address(call: Call) -> None:
    """Check that there is a server for leases.

    :raises NotImplemented: there is none
    """
    if call.simulator.leases.address is None:
        raise vmodl.fault.NotImplemented(msg="The simulator was started without a server for leases.")


def disk_key(config: Any, disk: Any) -> str:
    """Return what leases call a disk: ``ParaVirtualSCSIController0:1``."""
    controller = next(each for each in config.hardware.device if each.key == disk.controllerKey)
    kind = type(controller).__name__.rpartition(".")[2]
    return f"{kind}{controller.busNumber}:{disk.unitNumber}"


def _get(call: Call) -> Lease:
    lease = call.simulator.leases.get(call.target)
    call.need(lease.privilege, lease.vm)
    return lease


def _get_held(call: Call) -> Lease:
    """Return a lease that has not ended.

    :raises Timedout: it has expired
    :raises InvalidState: it has ended otherwise
    """
    lease = _get(call)
    if lease.has_expired:
        raise vim.fault.Timedout
    if not lease.is_held:
        raise vim.fault.InvalidState
    return lease


def _files(call: Call, vm: Object) -> list[LeaseFile]:
    """Return what an export has: the disks, and the file with the firmware's settings.

    :raises FileNotFound: a disk's file is not there
    """
    simulator, config = call.simulator, vm["config"]
    found: list[LeaseFile] = []
    for disk in disks_of(config):
        places = [locate(simulator, backing.fileName) for backing in chain(disk.backing)]
        own = [simulator.files.get(*place) for place in places]
        key, name = disk_key(config, disk), f"disk-{len(found)}.vmdk"
        found.append(
            LeaseFile(f"/{vm.id}/{key}", f"/{vm['name']}/{key}", name, own, is_disk=True, place=places[0])
        )
    store, path = locate(simulator, _nvram_path(config))
    settings = simulator.files.find(store, path)
    if settings is not None:
        name = f"disk-{len(found)}.nvram"
        keys = f"/{vm.id}/nvram", f"/{vm['name']}/nvram"
        found.append(LeaseFile(*keys, name, [settings], is_disk=False, place=(store, path)))
    return found


def _nvram_path(config: Any) -> str:
    """Return where the firmware of a VM keeps its settings: where its options say, or beside its vmx."""
    base = config.files.vmPathName.rpartition(".")[0]
    chosen = next((str(each.value) for each in config.extraConfig if each.key == "nvram"), f"{base}.nvram")
    return chosen if chosen.startswith("[") else f"{base.rpartition('/')[0]}/{chosen}"
