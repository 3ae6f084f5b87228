"""VMs that use a disk of another VM, and the files that there are."""

from typing import Any

from pyVmomi import vim

from simulators.vsphere import disk_chains
from simulators.vsphere.data import copy
from support.vsphere import Host


def link(host: Host, name: str, to: Any) -> None:
    """Let the first disk of a VM be a linked clone: based on the file of another VM's disk.

    :param to: the backing of the other's disk
    """
    with host.simulator.database.lock:
        vm = host.vm(name)
        disk_chains.snapshot_disks(vm["config"])[0].backing.parent = copy(to)
        vm.touch()


def share(host: Host, name: str, backing: Any) -> None:
    """Let the first disk of a VM be the disk of another VM, too."""
    with host.simulator.database.lock:
        vm = host.vm(name)
        disk_chains.snapshot_disks(vm["config"])[0].backing = copy(backing)
        vm.touch()


def disk_files(host: Host) -> dict[str, set[str]]:
    """Return the files of all datastores."""
    files = host.simulator.files
    return {store["name"]: set(files.all(store.id)) for store in host.all(vim.Datastore)}
