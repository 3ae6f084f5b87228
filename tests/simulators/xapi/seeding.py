"""The pool that a simulator begins with."""

import uuid
from datetime import UTC, datetime
from typing import Any

from simulators.xapi.database import Database, Object
from simulators.xapi.power import update_allowed_operations

_GIB = 1024**3
_VERSIONS = {
    "product_brand": "XAPI simulator",
    "product_version": "8.3.0",
    "platform_version": "3.4.0",
    "xapi": "26.21",
    "xen": "4.17.5",
}
_IMAGE = "debian-12"
_IMAGE_SIZE = 2 * _GIB
_MEMORY = 512 * 1024**2
_DISK = 8 * _GIB


def seed(database: Database, vms: int, bonds: int = 0) -> Object:
    """Make a pool with one host, its networks and storages, a template, and guests that are off.

    :return: the host
    """
    host = database.add(
        "host",
        {
            "name_label": "xen-1",
            "hostname": "xen-1",
            "enabled": True,
            "address": "127.0.0.1",
            "software_version": dict(_VERSIONS),
        },
    )
    metrics = database.add(
        "host_metrics", {"memory_total": 64 * _GIB, "memory_free": 48 * _GIB, "live": True}
    )
    host["metrics"] = metrics.ref
    network = _network(database, host, device=0)
    _network(database, host, device=1)
    for number in range(bonds):
        _bond(database, host, number)
    storage = _storage(database, host, "Local storage", "lvm", size=max(1024 * _GIB, 2 * vms * _DISK))
    library = _storage(database, host, "ISO library", "iso", size=16 * _GIB, content="iso")
    library["VDIs"] = [_iso(database, library, name).ref for name in ("debian.iso", "guest-tools.iso")]
    database.add("pool", {"name_label": "pool", "master": host.ref, "default_SR": storage.ref})
    for number in range(vms):
        _vm(database, number, network, storage)
    _template(database)
    _image(database, storage)
    used = vms * _DISK + _IMAGE_SIZE
    storage["virtual_allocation"] = storage["physical_utilisation"] = used
    storage["VDIs"] = [disk.ref for disk in database.all("VDI") if disk["SR"] == storage.ref]
    network["VIFs"] = [interface.ref for interface in database.all("VIF")]
    return host


def _network(database: Database, host: Object, device: int) -> Object:
    network = database.add(
        "network",
        {
            "name_label": f"Pool-wide network {device}",
            "bridge": f"xenbr{device}",
            "MTU": 1500,
            "managed": True,
        },
    )
    interface = database.add(
        "PIF",
        {
            "device": f"eth{device}",
            "network": network.ref,
            "host": host.ref,
            "MAC": f"00:16:3e:00:00:{device:02x}",
            "MTU": 1500,
            "VLAN": -1,
            "physical": True,
            "currently_attached": True,
            "management": device == 0,
        },
    )
    network["PIFs"] = [interface.ref]
    host["PIFs"] = [*host["PIFs"], interface.ref]
    return network


def _bond(database: Database, host: Object, number: int) -> None:
    """Make two interfaces one: a third, which has a network of its own. Theirs are still there."""
    slaves = [_network(database, host, device=2 + 2 * number + each)["PIFs"][0] for each in range(2)]
    network = database.add(
        "network",
        {"name_label": f"Bond {number}", "bridge": f"xapi-bond{number}", "MTU": 1500, "managed": True},
    )
    master = database.add(
        "PIF",
        {
            "device": f"bond{number}",
            "network": network.ref,
            "host": host.ref,
            "MAC": f"00:16:3e:00:01:{number:02x}",
            "MTU": 1500,
            "VLAN": -1,
            "currently_attached": True,
        },
    )
    network["PIFs"] = [master.ref]
    bond = database.add("Bond", {"master": master.ref, "slaves": slaves})
    master["bond_master_of"] = [bond.ref]
    for slave in slaves:
        database.get("PIF", slave)["bond_slave_of"] = bond.ref


def _storage(
    database: Database, host: Object, label: str, kind: str, *, size: int, content: str = "user"
) -> Object:
    storage = database.add(
        "SR", {"name_label": label, "type": kind, "content_type": content, "physical_size": size}
    )
    plug = database.add("PBD", {"host": host.ref, "SR": storage.ref, "currently_attached": True})
    storage["PBDs"] = [plug.ref]
    host["PBDs"] = [*host["PBDs"], plug.ref]
    return storage


def _iso(database: Database, library: Object, name: str) -> Object:
    return database.add(
        "VDI",
        {
            "name_label": name,
            "SR": library.ref,
            "virtual_size": _GIB,
            "physical_utilisation": _GIB,
            "location": name,
            "type": "user",
            "read_only": True,
            "sharable": True,
            "managed": True,
        },
    )


def _image(database: Database, storage: Object) -> Object:
    """Make a disk that guests are made of."""
    return database.add(
        "VDI",
        {
            "name_label": _IMAGE,
            "SR": storage.ref,
            "virtual_size": _IMAGE_SIZE,
            "physical_utilisation": _IMAGE_SIZE,
            "location": str(uuid.uuid4()),
            "type": "user",
            "managed": True,
        },
    )


def _template(database: Database) -> Object:
    """Make the template that XAPI brings for systems that it has no better one for."""
    disk = '<disk device="0" size="8589934592" sr="" bootable="true" type="system"/>'
    own = {
        "name_label": "Other install media",
        "is_a_template": True,
        "is_default_template": True,
        "other_config": {"disks": f"<provision>{disk}</provision>", "install-methods": "cdrom"},
    }
    metrics = database.add("VM_metrics", {})
    made = database.add("VM", _vm_values(0) | own | {"metrics": metrics.ref})
    update_allowed_operations(made)
    return made


def _vm(database: Database, number: int, network: Object, storage: Object) -> Object:
    metrics = database.add("VM_metrics", {"memory_actual": 0, "VCPUs_number": 0})
    vm = database.add("VM", _vm_values(number) | {"metrics": metrics.ref})
    disk = database.add(
        "VDI",
        {
            "name_label": f"vm-{number} 0",
            "SR": storage.ref,
            "virtual_size": _DISK,
            "physical_utilisation": _DISK,
            "location": str(uuid.uuid4()),
            "type": "user",
            "managed": True,
        },
    )
    device = database.add(
        "VBD",
        {
            "VM": vm.ref,
            "VDI": disk.ref,
            "device": "",
            "userdevice": "0",
            "bootable": True,
            "mode": "RW",
            "type": "Disk",
            "unpluggable": True,
        },
    )
    interface = database.add(
        "VIF",
        {
            "device": "0",
            "network": network.ref,
            "VM": vm.ref,
            "MAC": "0a:" + ":".join(f"{byte:02x}" for byte in (number + 1).to_bytes(5, "big")),
            "MTU": 1500,
            "locking_mode": "network_default",
        },
    )
    disk["VBDs"], vm["VBDs"], vm["VIFs"] = [device.ref], [device.ref], [interface.ref]
    update_allowed_operations(vm)
    return vm


def _vm_values(number: int) -> dict[str, Any]:
    return {
        "name_label": f"vm-{number}",
        "power_state": "Halted",
        "is_a_template": False,
        "memory_static_max": _MEMORY,
        "memory_dynamic_max": _MEMORY,
        "memory_dynamic_min": _MEMORY,
        "memory_static_min": _MEMORY,
        "VCPUs_max": 1,
        "VCPUs_at_startup": 1,
        "actions_after_shutdown": "destroy",
        "actions_after_reboot": "restart",
        "actions_after_crash": "restart",
        "HVM_boot_policy": "BIOS order",
        "HVM_boot_params": {"order": "cd"},
        "platform": {"acpi": "1", "apic": "true", "pae": "true", "viridian": "true"},
        "domid": -1,
        "snapshot_time": datetime(1970, 1, 1, tzinfo=UTC),
        "domain_type": "hvm",
    }
