"""The pool that a simulator begins with."""

from simulators.xapi.database import Database, Object
from simulators.xapi.lifecycle import update_allowed_operations
from simulators.xapi.seeding_guests import (
    DISK_BYTES,
    IMAGE_BYTES,
    make_control_domain,
    make_guest,
    make_image,
    make_iso,
    make_templates,
)
from simulators.xapi.seeding_hosts import make_bond, make_host, make_network, make_removable, make_storage

_GIB = 1024**3


def live_in(database: Database) -> None:
    """Make what pools have that are in use, of one with two hosts and a bond.

    Another library has an ISO image of the same name, a VLAN goes over the bond, and a guest is on its way
    from the first host to the second.
    """
    first, second = database.all("host")
    bonds = list(database.all("Bond"))
    library = make_storage(database, [first, second], "Old ISO library", "iso", size=16 * _GIB, content="iso")
    library["VDIs"] = [make_iso(database, library, "debian.iso").ref]
    network = database.add("network", {"name_label": "VLAN 100", "bridge": "xapi7", "MTU": 1500})
    for bond in bonds:
        trunk = database.get("PIF", bond["master"])
        own = {"VLAN": 100, "network": network.ref, "host": trunk["host"], "device": trunk["device"]}
        untagged = database.add("PIF", {**own, "MTU": 1500, "currently_attached": True})
        vlan = {"tagged_PIF": trunk.ref, "untagged_PIF": untagged.ref, "tag": 100}
        untagged["VLAN_master_of"] = database.add("VLAN", vlan).ref
        trunk["VLAN_slave_of"] = [untagged["VLAN_master_of"]]
        network["PIFs"] = [*network["PIFs"], untagged.ref]
    vm = next(found for found in database.all("VM") if found["name_label"] == "vm-0")
    vm["power_state"], vm["resident_on"] = "Running", first.ref
    vm["scheduled_to_be_resident_on"] = second.ref
    vm["current_operations"] = {"OpaqueRef:migration": "pool_migrate"}
    update_allowed_operations(database, vm)


def seed(database: Database, vms: int, bonds: int = 0, hosts: int = 1) -> Object:
    """Make a pool: networks, storages, templates, and guests that are off.

    The guests' disks are in the first host's own storage. Where there are other hosts, each has its own too,
    and all share another one. Each host is run by a control domain, which is a VM, too.

    :return: the master
    """
    made = [make_host(database, number) for number in range(1, hosts + 1)]
    network = make_network(database, made, device=0)
    make_network(database, made, device=1)
    for number in range(bonds):
        make_bond(database, made, number)
    size = max(1024 * _GIB, 2 * vms * DISK_BYTES)
    storage = make_storage(database, made[:1], "Local storage", "simulated", size=size)
    for host in made[1:]:
        make_storage(database, [host], f"Local storage of {host['name_label']}", "lvm", size=1024 * _GIB)
    if hosts > 1:
        make_storage(database, made, "Shared storage", "nfs", size=1024 * _GIB)
    library = make_storage(database, made, "ISO library", "iso", size=16 * _GIB, content="iso")
    library["VDIs"] = [make_iso(database, library, name).ref for name in ("debian.iso", "guest-tools.iso")]
    for host in made:
        make_removable(database, host, "DVD drives", "iso", size=_GIB)
        make_removable(database, host, "Removable storage", "disk", size=0)
    own = {"default_SR": storage.ref, "suspend_image_SR": storage.ref, "crash_dump_SR": storage.ref}
    database.add("pool", {"name_label": "pool", "master": made[0].ref, **own})
    guest: Object | None = None
    for number in range(vms):
        guest = make_guest(database, number, network, storage, guest)
    for host in made:
        make_control_domain(database, host)
    make_templates(database)
    make_image(database, storage)
    storage["virtual_allocation"] = storage["physical_utilisation"] = vms * DISK_BYTES + IMAGE_BYTES
    storage["VDIs"] = [disk.ref for disk in database.all("VDI") if disk["SR"] == storage.ref]
    network["VIFs"] = [interface.ref for interface in database.all("VIF")]
    return made[0]
