"""The guests, templates and images that a simulator begins with."""

import uuid
from datetime import UTC, datetime
from typing import Any

from simulators.xapi.database import Database, Object
from simulators.xapi.lifecycle import update_allowed_operations

_GIB = 1024**3
_IMAGE = "debian-12"
IMAGE_BYTES = 2 * _GIB
DISK_BYTES = 8 * _GIB
_MEMORY = 512 * 1024**2


def make_iso(database: Database, library: Object, name: str) -> Object:
    """Make an ISO image."""
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


def make_image(database: Database, storage: Object) -> Object:
    """Make a disk that guests are made of."""
    return _disk(database, storage, _IMAGE, IMAGE_BYTES)


def make_control_domain(database: Database, host: Object) -> Object:
    """Make the VM that runs a host."""
    name = f"Control domain on host: {host['name_label']}"
    metrics = database.add("VM_metrics", {"memory_actual": _MEMORY, "VCPUs_number": 1})
    own: dict[str, Any] = {
        "is_control_domain": True,
        "power_state": "Running",
        "resident_on": host.ref,
        "affinity": host.ref,
        "domid": 0,
        "metrics": metrics.ref,
        "HVM_boot_policy": "",
        "domain_type": "pv",
    }
    vm = database.add("VM", _values(name) | own)
    host["control_domain"], host["resident_VMs"] = vm.ref, [vm.ref]
    return vm


def make_templates(database: Database) -> None:
    """Make two templates that XAPI brings: one for any system, without a disk, and one that asks for a disk.

    Which storage that goes to is for a client to say.
    """
    _template(database, "Other install media", "<provision/>", {"install-methods": "cdrom"})
    disk = f'<disk device="0" size="{DISK_BYTES}" sr="" bootable="true" type="system"/>'
    methods = {"install-methods": "cdrom,http,ftp"}
    _template(database, "Debian Bookworm 12", f"<provision>{disk}</provision>", methods)


def make_guest(
    database: Database, number: int, network: Object, storage: Object, like: Object | None
) -> Object:
    """Make a guest that is off.

    :param like: one that was made before, which has the same operations
    """
    metrics = database.add("VM_metrics", {"memory_actual": 0, "VCPUs_number": 0})
    vm = database.add("VM", _values(f"vm-{number}") | {"metrics": metrics.ref})
    disk = _disk(database, storage, f"vm-{number} 0", DISK_BYTES)
    drive = database.add(
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
    disk["VBDs"], vm["VBDs"], vm["VIFs"] = [drive.ref], [drive.ref], [interface.ref]
    if like is None:
        update_allowed_operations(database, vm)
    else:
        vm["allowed_operations"] = like["allowed_operations"]
    return vm


def _template(database: Database, name: str, disks: str, config: dict[str, str]) -> None:
    own = {"is_a_template": True, "is_default_template": True, "metrics": database.add("VM_metrics", {}).ref}
    values = _values(name)
    values["other_config"] |= {"default_template": "true", "disks": disks, **config}
    update_allowed_operations(database, database.add("VM", values | own))


def _disk(database: Database, storage: Object, name: str, size: int) -> Object:
    return database.add(
        "VDI",
        {
            "name_label": name,
            "SR": storage.ref,
            "virtual_size": size,
            "physical_utilisation": size,
            "location": str(uuid.uuid4()),
            "type": "user",
            "managed": True,
        },
    )


def _values(name: str) -> dict[str, Any]:
    return {
        "name_label": name,
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
        "other_config": {"mac_seed": str(uuid.uuid4())},
        "domid": -1,
        "snapshot_time": datetime(1970, 1, 1, tzinfo=UTC),
        "domain_type": "hvm",
    }
