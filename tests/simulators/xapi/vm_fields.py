"""Which fields of a VM are its own, which a copy of it has, and which going back to a snapshot leaves."""

from collections.abc import Mapping
from typing import Any

from simulators.xapi.lifecycle import HALTED
from simulators.xapi.types import EPOCH, NULL

#: What a VM has at first, whatever it is made of.
FRESH: Mapping[str, Any] = {
    "power_state": HALTED,
    "current_operations": {},
    "blocked_operations": {},
    "VBDs": [],
    "VIFs": [],
    "VGPUs": [],
    "VUSBs": [],
    "VTPMs": [],
    "attached_PCIs": [],
    "consoles": [],
    "crash_dumps": [],
    "blobs": {},
    "groups": [],
    "resident_on": NULL,
    "scheduled_to_be_resident_on": NULL,
    "domid": -1,
    "domarch": "",
    "guest_metrics": NULL,
    "is_default_template": False,
    "is_control_domain": False,
    "is_a_snapshot": False,
    "snapshots": [],
    "snapshot_of": NULL,
    "snapshot_time": EPOCH,
    "snapshot_info": {},
    "snapshot_metadata": "",
    "transportable_snapshot_id": "",
    "is_vmss_snapshot": False,
    "is_snapshot_from_vmpp": False,
    "parent": NULL,
    "children": [],
    "suspend_VDI": NULL,
    "protection_policy": NULL,
    "snapshot_schedule": NULL,
    "requires_reboot": False,
    "pending_guidances": [],
    "pending_guidances_recommended": [],
    "pending_guidances_full": [],
}
#: What a copy of a VM does not have of it, besides.
NOT_COPIED: Mapping[str, Any] = {
    "ha_always_run": False,
    "appliance": NULL,
    "start_delay": 0,
    "shutdown_delay": 0,
    "order": 0,
    "suspend_SR": NULL,
    "version": 0,
}
#: What a VM keeps when it goes back to a snapshot. The others are as they were, its name too.
KEPT = frozenset(
    (
        *("uuid", "suspend_VDI", "power_state", "parent", "children", "snapshots"),
        *("current_operations", "allowed_operations", "metrics", "guest_metrics"),
        *("resident_on", "scheduled_to_be_resident_on", "domid"),
        *("protection_policy", "snapshot_schedule", "tags", "affinity", "groups"),
        *("consoles", "VBDs", "VIFs", "VGPUs", "VUSBs", "VTPMs", "attached_PCIs", "is_snapshot_from_vmpp"),
    )
)
_PORTABLE = frozenset({"string", "int", "bool", "(string -> string) map", "string set"})


def is_portable(name: str, type_name: str) -> bool:
    """Tell whether a field goes into a VM's image: numbers, strings, maps of them, no references."""
    return name not in FRESH and name not in ("uuid", "metrics") and type_name in _PORTABLE
