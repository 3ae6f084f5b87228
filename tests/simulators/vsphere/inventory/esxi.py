"""The inventory of a lone ESXi host."""

from typing import TYPE_CHECKING

from pyVmomi import vim

from simulators.vsphere.files import File
from simulators.vsphere.inventory import compute, networks, storage
from simulators.vsphere.inventory.entities import add_datacenter, add_folder
from simulators.vsphere.inventory.guests import Guest, add_guest
from simulators.vsphere.inventory.managers import about, add_managers

if TYPE_CHECKING:
    from simulators.vsphere.simulator import Simulator

_GIB, _TIB = 1024**3, 1024**4
_VM_BYTES = 16 * _GIB


def build_esxi(simulator: "Simulator", vms: int) -> None:
    """Make the inventory."""
    database, files = simulator.database, simulator.files
    root = add_folder(database, "ha-folder-root", None, vim.Datacenter, moid="ha-folder-root")
    add_managers(simulator, root)
    datacenter = add_datacenter(
        database,
        "ha-datacenter",
        root,
        *("ha-datacenter", "ha-folder-vm", "ha-folder-host", "ha-folder-datastore", "ha-folder-network"),
    )
    folder = {
        name: database.get(datacenter[f"{name}Folder"]) for name in ("vm", "host", "datastore", "network")
    }
    own = compute.add_standalone(
        database, "localhost.localdomain", folder["host"], "ha-compute-res", "ha-root-pool"
    )
    host = compute.add_host(database, "localhost.localdomain", own, about(simulator), "ha-host")
    local = storage.add_datastore(
        database, files, "datastore1", folder["datastore"], [host], capacity=10 * _TIB + vms * _VM_BYTES
    )
    for name in ("debian-12.iso", "guest-tools.iso"):
        files.add(local.id, f"iso/{name}", File("iso", _GIB))
    networks.add_vswitch(host)
    networks.add_port_group(host, "VM Network")
    network = networks.add_network(
        database, "VM Network", folder["network"], [host], networks.host_network_id("VM Network")
    )
    pool = database.get(own["resourcePool"])
    for number in range(vms):
        mac = f"00:0c:29:{number // 65_536:02x}:{number // 256 % 256:02x}:{number % 256:02x}"
        guest = Guest(f"vm-{number}", local, [network], host, pool, macs=[mac])
        add_guest(simulator, guest, folder["vm"])
