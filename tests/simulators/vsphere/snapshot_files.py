"""The files of a snapshot's state: what VMware calls ``.vmsn``, and the memory's, ``.vmem``."""

from typing import TYPE_CHECKING

from pyVmomi import vmodl

from simulators.vsphere.database import Object
from simulators.vsphere.disk_chains import locate
from simulators.vsphere.files import File

if TYPE_CHECKING:
    from simulators.vsphere.simulator import Simulator


def add_state(simulator: "Simulator", snapshot: Object, *, has_memory: bool) -> None:
    """Write the files of a snapshot's state.

    :raises NoDiskSpace: the datastore is too full; nothing has changed
    """
    store, base = _place(simulator, snapshot)
    simulator.files.add(store, f"{base}.vmsn", File("other", 32_768))
    if has_memory:
        size = snapshot["config.hardware.memoryMB"] * 1024**2
        try:
            simulator.files.add(store, f"{base}.vmem", File("other", size))
        except vmodl.MethodFault:
            simulator.files.remove(store, f"{base}.vmsn")
            raise


def remove_state(simulator: "Simulator", snapshot: Object) -> None:
    """Remove the files of a snapshot's state that are there."""
    store, base = _place(simulator, snapshot)
    for suffix in (".vmsn", ".vmem"):
        if simulator.files.find(store, base + suffix) is not None:
            simulator.files.remove(store, base + suffix)


def _place(simulator: "Simulator", snapshot: Object) -> tuple[str, str]:
    store, path = locate(simulator, snapshot["config.files.vmPathName"])
    return store, f"{path.rpartition('.')[0]}-Snapshot{snapshot.id.rpartition('-')[2]}"
