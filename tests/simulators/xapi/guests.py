"""What is known of the system in a VM: its tools, and what they can do."""

from collections.abc import Mapping
from typing import Any

from simulators.xapi.database import Database, Object
from simulators.xapi.types import NULL

_PARAVIRTUALIZED = ("pv", "pv_in_pvh", "pvh")
#: As the tools of Linux tell it.
_FEATURES: Mapping[str, str] = {
    f"feature-{name}": "1" for name in ("poweroff", "reboot", "shutdown", "suspend", "vcpu-hotplug")
}
_VERSION: Mapping[str, str] = {"major": "8", "minor": "4", "micro": "0", "build": "1"}


def booted_paravirtualized(database: Database, vm: Object) -> bool:
    """Tell whether a VM runs a system that needs no tools to be asked."""
    metrics = database.find("VM_metrics", vm["metrics"])
    return metrics is not None and metrics["current_domain_type"] in _PARAVIRTUALIZED


def has_feature(database: Database, vm: Object, name: str) -> bool:
    """Tell whether a guest's tools say that they can do something."""
    found = database.find("VM_guest_metrics", vm["guest_metrics"])
    return found is not None and found["other"].get(name) == "1"


def lacks_drivers(database: Database, vm: Object) -> bool:
    """Tell whether a guest cannot take devices while it runs: it is HVM, and its tools are not there."""
    found = database.find("VM_guest_metrics", vm["guest_metrics"])
    has_drivers = found is not None and found["PV_drivers_detected"]
    return not has_drivers and not booted_paravirtualized(database, vm)


def bring_up_tools(database: Database, vm: Object, networks: Mapping[str, str]) -> None:
    """Let a guest tell what it is.

    :param networks: its addresses
    """
    tools = {
        "networks": dict(networks),
        "other": dict(_FEATURES),
        "PV_drivers_version": dict(_VERSION),
        "PV_drivers_detected": True,
        "PV_drivers_up_to_date": True,
        "live": True,
    }
    vm["guest_metrics"] = database.add("VM_guest_metrics", tools).ref


def forget_tools(database: Database, vm: Object) -> None:
    """Forget what a guest has told. XAPI does so when the VM starts, not when it stops."""
    found = database.find("VM_guest_metrics", vm["guest_metrics"])
    if found is not None:
        database.remove(found)
    vm["guest_metrics"] = NULL


def copy_tools(database: Database, vm: Object) -> str:
    """Return a copy of what a guest has told, for a copy of its VM."""
    found = database.find("VM_guest_metrics", vm["guest_metrics"])
    if found is None:
        return NULL
    values: dict[str, Any] = {name: found[name] for name in found.class_.fields if name != "uuid"}
    return database.add("VM_guest_metrics", values).ref
