"""The pool that a simulator begins with."""

from simulators.xapi.database import Database, Object
from simulators.xapi.seeding_guests import (
    DISK_BYTES,
    IMAGE_BYTES,
    make_guest,
    make_image,
    make_iso,
    make_templates,
)
from simulators.xapi.seeding_hosts import make_bond, make_host, make_network, make_removable, make_storage

_GIB = 1024**3


def seed(database: Database, vms: int, bonds: int = 0) -> Object:
    """Make a pool: a host, networks, storages, templates, and guests that are off.

    :return: the master
    """
    made = [make_host(database, 1)]
    network = make_network(database, made, device=0)
    make_network(database, made, device=1)
    for number in range(bonds):
        make_bond(database, made, number)
    size = max(1024 * _GIB, 2 * vms * DISK_BYTES)
    storage = make_storage(database, made[:1], "Local storage", "simulated", size=size)
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
    make_templates(database)
    make_image(database, storage)
    storage["virtual_allocation"] = storage["physical_utilisation"] = vms * DISK_BYTES + IMAGE_BYTES
    storage["VDIs"] = [disk.ref for disk in database.all("VDI") if disk["SR"] == storage.ref]
    network["VIFs"] = [interface.ref for interface in database.all("VIF")]
    return made[0]
