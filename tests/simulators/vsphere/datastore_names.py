"""Names of datastores: the paths of all files in them begin with them."""

from typing import Any

from pyVmomi import vim

from simulators.vsphere.database import Object
from simulators.vsphere.disk_chains import chain


def set_datastore_name(store: Object, name: str) -> None:
    """Give a datastore another name, also in the configurations of VMs and of their snapshots.

    :param name: as it is stored
    """
    old, new = f"[{store['name']}]", f"[{name}]"
    found = [vm for vm in store.database.all(vim.VirtualMachine) if store.ref in list(vm["datastore"])]
    ids = {vm.id for vm in found}
    found += [each for each in store.database.all(vim.vm.Snapshot) if each["vm"]._moId in ids]
    for each in found:
        _rename(each["config"], old, new)
        each.touch()
    store["name"] = name
    store["info"].name = name
    store.touch()


def _rename(config: Any, old: str, new: str) -> None:
    def renamed(path: str) -> str:
        return new + path.removeprefix(old) if path.startswith(old) else path

    files = config.files
    for name in ("vmPathName", "snapshotDirectory", "suspendDirectory", "logDirectory"):
        value = getattr(files, name)
        if value is not None:
            setattr(files, name, renamed(value))
    for device in config.hardware.device:
        backing = device.backing
        if isinstance(device, vim.vm.device.VirtualDisk):
            for each in chain(backing):
                each.fileName = renamed(each.fileName)
        elif getattr(backing, "fileName", None):
            backing.fileName = renamed(backing.fileName)
