"""``CreateVM_Task``."""

import re
from typing import Any

from pyVmomi import vim, vmodl

from simulators.vsphere.behavior.entities import check_name
from simulators.vsphere.behavior.hosts import choose_host
from simulators.vsphere.calls import Call
from simulators.vsphere.configuration import configure, invalid
from simulators.vsphere.data import copy
from simulators.vsphere.database import Object
from simulators.vsphere.files import File, split_path
from simulators.vsphere.hardware.changes import change_devices
from simulators.vsphere.hardware.plan import Plan
from simulators.vsphere.inventory import devices
from simulators.vsphere.inventory.guests import Guest, add_vm, configuration
from simulators.vsphere.methods import method
from simulators.vsphere.names import stored_name
from simulators.vsphere.tasks import Running

_VERSION = re.compile(r"vmx-(\d\d)\Z")
_NEWEST_VERSION = 21


@method(vim.Folder, "CreateVM_Task")
def create(call: Call, config: Any, pool: Object, host: Object | None) -> Any:
    """Create a VM with its files: all of it, or nothing."""
    check_spec(call.target, config)

    def work(running: Running) -> Any:
        check_name(call.target, stored_name(config.name))
        running.commit()
        return make_vm(call, call.target, config, pool, host)[0].ref

    return call.start(work)


def check_spec(folder: Object, config: Any) -> None:
    """Check what a VM is made of.

    :raises NotSupported: the folder takes none
    :raises InvalidArgument: something is missing
    """
    if vim.VirtualMachine not in folder["childType"]:
        raise vmodl.fault.NotSupported
    if not config.name:
        raise invalid("name")
    if config.files is None or not config.files.vmPathName:
        raise invalid("files")


def make_vm(
    call: Call, folder: Object, config: Any, pool: Object, host: Object | None
) -> tuple[Object, Plan]:
    """Make a VM with its files: all of it, or nothing.

    :return: the VM, and what undoes its files
    """
    name = stored_name(config.name)
    backings: list[Any] = [change.device.backing for change in config.deviceChange]
    paths = [config.files.vmPathName, *(getattr(backing, "fileName", None) for backing in backings)]
    place = choose_host(call, pool, host, {split_path(path)[0] for path in paths if path})
    plan = Plan(call.simulator, None, host=place)
    store, inside = plan.locate(config.files.vmPathName)
    guest = Guest(name, store, [], place, pool, disk_bytes=())
    plan.config = _defaults(guest)
    with plan.all_or_nothing():
        path = _add_files(plan, store, inside, name)
        plan.config.files = _files(store, path)
        _configure(plan, config)
        change_devices(plan, config.deviceChange)
        datastores, networks = plan.relations()
    made = add_vm(call.database, guest, folder, plan.config)
    made["datastore"], made["network"] = datastores, networks
    call.simulator.guests.stop(made)
    return made, plan


def _defaults(guest: Guest) -> Any:
    """Return what a configuration has that the client does not choose."""
    made: Any = configuration(guest)
    made.guestId, made.guestFullName = "otherGuest", "Other (32-bit)"
    made.tools.toolsVersion = 0
    made.hardware.numCPU, made.hardware.memoryMB = 1, 32
    made.hardware.device = devices.fixed_devices()
    return made


def _configure(plan: Plan, spec: Any) -> None:
    rest = copy(spec)
    rest.files = rest.version = None
    if spec.version:
        version = _VERSION.match(spec.version)
        if version is None or int(version[1]) > _NEWEST_VERSION:
            raise invalid("version")
        plan.config.version = spec.version
    configure(plan, rest)


def _add_files(plan: Plan, store: Object, path: str, name: str) -> str:
    """Write the files that every VM has, and return the path of its configuration."""
    files = plan.simulator.files
    if not path:
        taken = {each.partition("/")[0] for each in files.all(store.id)}
        folder = next(each for each in _numbered(name) if each not in taken)
        path = f"{folder}/{name}.vmx"
    if not path.endswith(".vmx"):
        raise vim.fault.InvalidDatastorePath(
            datastore=store.ref, name=store["name"], datastorePath=f"[{store['name']}] {path}"
        )
    if files.find(store.id, path) is not None:
        raise vim.fault.AlreadyExists(name=f"[{store['name']}] {path}")
    plan.add_file(store, path, File("vmx", 3_072))
    plan.add_file(store, f"{path.removesuffix('.vmx')}.nvram", File("other", 8_684))
    return path


def _numbered(name: str) -> list[str]:
    return [name, *(f"{name}_{number}" for number in range(1, 1_000))]


def _files(store: Object, path: str) -> Any:
    folder = f"[{store['name']}] {path.rpartition('/')[0]}/"
    return vim.vm.FileInfo(
        vmPathName=f"[{store['name']}] {path}",
        snapshotDirectory=folder,
        suspendDirectory=folder,
        logDirectory=folder,
    )
