"""The inventory of vCenter: two clusters, and what is not only simple."""

from typing import TYPE_CHECKING

from pyVmomi import vim

from simulators.vsphere.database import Object
from simulators.vsphere.files import File
from simulators.vsphere.inventory import compute, networks, storage
from simulators.vsphere.inventory.entities import add_datacenter, add_folder
from simulators.vsphere.inventory.guests import Guest, add_guest
from simulators.vsphere.inventory.managers import about, add_managers

if TYPE_CHECKING:
    from simulators.vsphere.simulator import Simulator

_GIB, _TIB = 1024**3, 1024**4
_HOSTS_IN_CLUSTER = 2
#: What each VM takes up, generously, so that the datastore has room for all.
_VM_BYTES = 16 * _GIB


def build_vcenter(simulator: "Simulator", vms: int) -> None:
    """Make the inventory."""
    database = simulator.database
    root = add_folder(database, "Datacenters", None, vim.Datacenter, moid="group-d1")
    add_managers(simulator, root)
    product = about(simulator)
    datacenter = add_datacenter(database, "DC0", root)
    vm_folder, host_folder, datastore_folder, network_folder = (
        database.get(datacenter[f"{name}Folder"]) for name in ("vm", "host", "datastore", "network")
    )
    clusters = [compute.add_cluster(database, f"cluster-{number}", host_folder) for number in (1, 2)]
    hosts = [
        compute.add_host(database, f"esx-{cluster['name'][-1]}{number}.example", cluster, product)
        for cluster in clusters
        for number in range(1, _HOSTS_IN_CLUSTER + 1)
    ]
    shared = _add_storage(simulator, datastore_folder, hosts, capacity=10 * _TIB + vms * _VM_BYTES)
    network, production = _add_networks(simulator, network_folder, hosts)
    pools = [database.get(cluster["resourcePool"]) for cluster in clusters]
    child = compute.add_pool(database, "production", pools[0], clusters[0])
    shop = compute.add_vapp(database, "shop", pools[0], clusters[0], vm_folder)
    servers = add_folder(database, "servers", vm_folder, vim.VirtualMachine)
    templates = add_folder(database, "templates", vm_folder, vim.VirtualMachine)
    places = [(pools[0], hosts[0]), (child, hosts[1]), (pools[1], hosts[2])]
    for number in range(vms):
        pool, host = places[number % len(places)]
        networks_of = [network, production] if number % 2 else [network]
        guest = Guest(f"vm-{number}", shared, networks_of, host, pool, macs=_macs(number))
        add_guest(simulator, guest, servers if number % 3 == 1 else vm_folder)
    in_vapp = Guest("shop-db", shared, [production], hosts[0], shop, macs=_macs(vms))
    add_guest(simulator, in_vapp, None)
    template = Guest("debian-12", shared, [network], hosts[0], None, is_template=True, macs=_macs(vms + 1))
    add_guest(simulator, template, templates)


def _add_storage(simulator: "Simulator", folder: Object, hosts: list[Object], *, capacity: int) -> Object:
    database, files = simulator.database, simulator.files
    shared = storage.add_datastore(database, files, "shared-1", folder, hosts, capacity=capacity)
    for number, host in enumerate(hosts, 1):
        storage.add_datastore(database, files, f"local-{number}", folder, [host], capacity=_TIB)
    isos = storage.add_datastore(database, files, "isos", folder, hosts, nfs=True, capacity=_TIB)
    for name in ("debian-12.iso", "guest-tools.iso"):
        files.add(isos.id, name, File("iso", _GIB))
    return shared


def _add_networks(simulator: "Simulator", folder: Object, hosts: list[Object]) -> tuple[Object, Object]:
    database = simulator.database
    for host in hosts:
        networks.add_vswitch(host)
        networks.add_port_group(host, "VM Network")
    network = networks.add_network(database, "VM Network", folder, hosts)
    switch = networks.add_switch(database, "dvs-1", folder, hosts)
    production = networks.add_distributed_port_group(database, "production", folder, switch, vlan=100)
    return network, production


def _macs(number: int) -> list[str]:
    """Return the addresses of a VM's two cards, of vCenter's range 00:50:56:80-bf."""
    return [
        f"00:50:56:{0x80 + each // 65_536:02x}:{each // 256 % 256:02x}:{each % 256:02x}"
        for each in (2 * number, 2 * number + 1)
    ]
