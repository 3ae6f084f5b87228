"""Sizes of VMs and how they boot: what may be set, and how the figures depend on one another."""

from simulators.xapi.database import Database, Object
from simulators.xapi.failures import Failure
from simulators.xapi.lifecycle import update_allowed_operations
from simulators.xapi.messages import Handler

_MEMORY = ("static_min", "dynamic_min", "dynamic_max", "static_max")
_PRIORITIES = ("restart", "best-effort", "")


class VmSettings:
    """Changes what VMs are."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def handlers(self) -> dict[str, Handler]:
        """Return what the messages do."""
        return {
            "VM.set_memory_limits": lambda ref, low, high, dynamic_low, dynamic_high: self._set_memory(
                ref, static_min=low, static_max=high, dynamic_min=dynamic_low, dynamic_max=dynamic_high
            ),
            "VM.set_memory_static_max": lambda ref, size: self._set_memory(ref, static_max=size),
            "VM.set_memory_static_min": lambda ref, size: self._set_memory(ref, static_min=size),
            "VM.set_memory_dynamic_max": lambda ref, size: self._set_memory(ref, dynamic_max=size),
            "VM.set_memory_dynamic_min": lambda ref, size: self._set_memory(ref, dynamic_min=size),
            "VM.set_memory_dynamic_range": lambda ref, low, high: self._set_memory(
                ref, dynamic_min=low, dynamic_max=high
            ),
            "VM.set_memory_static_range": lambda ref, low, high: self._set_memory(
                ref, static_min=low, static_max=high
            ),
            "VM.set_memory": lambda ref, size: self._set_memory(
                ref, static_max=size, dynamic_min=size, dynamic_max=size
            ),
            # XAPI takes these two and does nothing: the range is what counts.
            "VM.set_memory_target_live": lambda _ref, _size: None,
            "VM.wait_memory_target_live": lambda _ref: None,
            "VM.set_VCPUs_max": lambda ref, count: self._set_vcpus(ref, "VCPUs_max", count),
            "VM.set_VCPUs_at_startup": lambda ref, count: self._set_vcpus(ref, "VCPUs_at_startup", count),
            "VM.set_VCPUs_number_live": self._set_live_vcpus,
            "VM.set_HVM_boot_policy": self._set_boot_policy,
            "VM.set_domain_type": self._set_domain_type,
            "VM.set_ha_restart_priority": self._set_priority,
            "VM.set_blocked_operations": self._set_blocked,
            "VM.add_to_blocked_operations": lambda ref, name, reason: self._set_blocked(
                ref, self._blocked(ref) | {name: reason}
            ),
            "VM.remove_from_blocked_operations": lambda ref, name: self._set_blocked(
                ref, {key: why for key, why in self._blocked(ref).items() if key != name}
            ),
        }

    def _set_memory(self, ref: str, **sizes: int) -> None:
        """Change some of the four figures, which stay in order."""
        with self._database.lock:
            vm = self._database.get("VM", ref)
            after = {name: sizes.get(name, vm[f"memory_{name}"]) for name in _MEMORY}
            in_order = [after[name] for name in _MEMORY]
            if in_order != sorted(in_order) or in_order[0] < 0:
                order = "static_min ≤ dynamic_min ≤ dynamic_max ≤ static_max"
                raise Failure("MEMORY_CONSTRAINT_VIOLATION", f"Memory limits must satisfy: {order}")
            for name, size in after.items():
                vm[f"memory_{name}"] = size

    def _set_vcpus(self, ref: str, field: str, count: int) -> None:
        with self._database.lock:
            vm = self._database.get("VM", ref)
            after = {"VCPUs_max": vm["VCPUs_max"], "VCPUs_at_startup": vm["VCPUs_at_startup"], field: count}
            if not 0 < after["VCPUs_at_startup"] <= after["VCPUs_max"]:
                rule = "VCPU values must satisfy: 0 < VCPUs_at_startup ≤ VCPUs_max"
                raise Failure("INVALID_VALUE", rule, str(count))
            vm[field] = count

    def _set_live_vcpus(self, ref: str, count: int) -> None:
        with self._database.lock:
            vm = self._database.get("VM", ref)
            if not 0 < count <= vm["VCPUs_max"]:
                raise Failure("INVALID_VALUE", "VCPUs_number", str(count))
            vm["VCPUs_at_startup"] = count
            self._metrics(vm)["VCPUs_number"] = count

    def _set_boot_policy(self, ref: str, policy: str) -> None:
        """Set how a VM boots; an empty policy makes it paravirtualized."""
        with self._database.lock:
            vm = self._database.get("VM", ref)
            vm["HVM_boot_policy"] = policy
            vm["domain_type"] = "hvm" if policy else "pv"

    def _set_domain_type(self, ref: str, kind: str) -> None:
        """Set how a VM runs, and with it how it boots."""
        with self._database.lock:
            vm = self._database.get("VM", ref)
            if kind == "unspecified":
                raise Failure("INVALID_VALUE", "domain_type", kind)
            vm["domain_type"] = kind
            vm["HVM_boot_policy"] = "BIOS order" if kind == "hvm" else ""

    def _set_priority(self, ref: str, priority: str) -> None:
        with self._database.lock:
            vm = self._database.get("VM", ref)
            if priority not in _PRIORITIES:
                raise Failure("INVALID_VALUE", "ha_restart_priority", priority)
            vm["ha_restart_priority"] = priority

    def _metrics(self, vm: Object) -> Object:
        return self._database.get("VM_metrics", vm["metrics"])

    def _blocked(self, ref: str) -> dict[str, str]:
        found: dict[str, str] = self._database.get("VM", ref)["blocked_operations"]
        return found

    def _set_blocked(self, ref: str, blocked: dict[str, str]) -> None:
        with self._database.lock:
            vm = self._database.get("VM", ref)
            vm["blocked_operations"] = blocked
            update_allowed_operations(self._database, vm)
