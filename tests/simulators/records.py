"""Records that a simulator makes disks, drives and interfaces of."""

from typing import Any

GIB = 1024**3
NULL = "OpaqueRef:NULL"


def disk_values(storage: str, size: int = GIB) -> dict[str, Any]:
    """Return the record of a new disk."""
    return {
        "SR": storage,
        "virtual_size": str(size),
        "type": "user",
        "sharable": False,
        "read_only": False,
        "other_config": {},
    }


def drive_values(vm: str, disk: str, **others: Any) -> dict[str, Any]:
    """Return the record of a new drive, on the first device that is free."""
    return {
        "VM": vm,
        "VDI": disk,
        "userdevice": "autodetect",
        "bootable": False,
        "mode": "RW",
        "type": "Disk",
        "unpluggable": True,
        "empty": False,
        "other_config": {},
        "qos_algorithm_type": "",
        "qos_algorithm_params": {},
        **others,
    }


def interface_values(vm: str, network: str, **others: Any) -> dict[str, Any]:
    """Return the record of a new interface."""
    return {
        "VM": vm,
        "network": network,
        "device": "1",
        "MAC": "",
        "MTU": "1500",
        "other_config": {},
        "qos_algorithm_type": "",
        "qos_algorithm_params": {},
        **others,
    }
