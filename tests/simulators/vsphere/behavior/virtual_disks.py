"""``VirtualDiskManager``: copies and removes disks that need not be a VM's."""

from typing import Any

from pyVmomi import vim, vmodl

from simulators.vsphere.calls import Call
from simulators.vsphere.database import Object
from simulators.vsphere.datastore_paths import check_unlocked, check_unused, files_of, full_name, locate
from simulators.vsphere.disk_chains import copied
from simulators.vsphere.files import File
from simulators.vsphere.methods import method
from simulators.vsphere.tasks import Running

_FILES = "Datastore.FileManagement"


@method(vim.VirtualDiskManager, "CopyVirtualDisk_Task")
def copy_disk(
    call: Call,
    *,
    source_name: str,
    source_datacenter: Object | None,
    dest_name: str,
    dest_datacenter: Object | None,
    dest_spec: Any,
    force: bool | None,
) -> Any:
    """Copy a disk. A disk that is there is replaced only if ``force`` is set."""
    source = locate(call.simulator, source_name, source_datacenter)
    target = locate(call.simulator, dest_name, dest_datacenter or source_datacenter)
    call.need(_FILES, source[0])
    call.need(_FILES, target[0])

    def work(running: Running) -> None:
        files = call.simulator.files
        disk = _disk(call, *source)
        check_unlocked(call.simulator, full_name(*source))
        store, path = target
        if not path.endswith(".vmdk"):
            raise vim.fault.InvalidDatastorePath(datastorePath=dest_name)
        folder = path.rpartition("/")[0]
        if not files.has_folder(store.id, folder):
            raise vim.fault.FileNotFound(file=dest_name)
        is_thin = disk.is_thin if dest_spec is None else dest_spec.diskType == "thin"
        made = copied(files_of(call.simulator, full_name(*source)), is_thin=is_thin)
        old = files.find(store.id, path)
        if old is not None:
            if not force:
                raise vim.fault.FileAlreadyExists(file=dest_name)
            _disk(call, *target)
            check_unused(call.simulator, full_name(store, path))
        running.commit()
        if old is not None:
            files.remove(store.id, path)
        try:
            files.add(store.id, path, made)
        except vmodl.MethodFault:
            if old is not None:
                files.add(store.id, path, old)
            raise

    return call.start(work)


@method(vim.VirtualDiskManager, "DeleteVirtualDisk_Task")
def delete_disk(call: Call, name: str, datacenter: Object | None) -> Any:
    """Remove a disk that no VM uses."""
    store, path = locate(call.simulator, name, datacenter)
    call.need(_FILES, store)

    def work(running: Running) -> None:
        _disk(call, store, path)
        check_unused(call.simulator, full_name(store, path))
        running.commit()
        call.simulator.files.remove(store.id, path)

    return call.start(work)


def _disk(call: Call, store: Object, path: str) -> File:
    found = call.simulator.files.get(store.id, path)
    if found.kind != "disk":
        raise vim.fault.FileNotFound(file=path)
    return found
