"""The power states of VMs, and what changes with them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from simulators.xapi.database import Database, Object
from simulators.xapi.failures import Failure
from simulators.xapi.messages import Handler
from simulators.xapi.types import NULL

HALTED, PAUSED, RUNNING, SUSPENDED = "Halted", "Paused", "Running", "Suspended"
#: The operations of a VM in each state, and what they need besides.
_ALLOWED = {
    HALTED: [
        "start",
        "start_on",
        "clone",
        "copy",
        "destroy",
        "export",
        "snapshot",
        "provision",
        "make_into_template",
    ],
    PAUSED: ["unpause", "hard_shutdown", "hard_reboot"],
    RUNNING: (
        [
            "pause",
            "suspend",
            "clean_shutdown",
            "clean_reboot",
            "hard_shutdown",
            "hard_reboot",
            "snapshot",
            "checkpoint",
        ]
    ),
    SUSPENDED: ["resume", "resume_on", "hard_shutdown", "snapshot", "export"],
}
_ALLOWED_SNAPSHOT = ["clone", "copy", "destroy", "export", "revert"]
_ALLOWED_TEMPLATE = ["clone", "copy", "destroy", "export", "provision"]


def update_allowed_operations(vm: Object) -> None:
    """Say what may be done with a VM now."""
    allowed = _ALLOWED[vm["power_state"]]
    if vm["is_a_snapshot"]:
        allowed = _ALLOWED_SNAPSHOT
    elif vm["is_a_template"]:
        allowed = _ALLOWED_TEMPLATE
    vm["allowed_operations"] = [name for name in allowed if name not in vm["blocked_operations"]]


def need_state(vm: Object, *needed: str) -> None:
    """Pass a VM that is in one of these states.

    :raises Failure: VM_BAD_POWER_STATE, with the states that would do and the one that it is in
    """
    if vm["power_state"] not in needed:
        expected = ", ".join(state.lower() for state in needed)
        raise Failure("VM_BAD_POWER_STATE", vm.ref, expected, vm["power_state"].lower())


class Power:
    """Starts and stops VMs on one host."""

    def __init__(self, database: Database, host: Object) -> None:
        self._database = database
        self._host = host
        self._domains = 0

    def handlers(self) -> dict[str, Handler]:
        """Return what the messages do."""
        return {
            "VM.start": self.start,
            "VM.clean_shutdown": lambda ref: self._stop(ref, "clean_shutdown", (RUNNING,)),
            "VM.hard_shutdown": self.stop,
            "VM.shutdown": self._shutdown,
            "VM.suspend": lambda ref: self._change(ref, "suspend", (RUNNING,), SUSPENDED),
            "VM.resume": self._resume,
            "VM.pause": lambda ref: self._change(ref, "pause", (RUNNING,), PAUSED),
            "VM.unpause": lambda ref: self._change(ref, "unpause", (PAUSED,), RUNNING),
            "VM.clean_reboot": lambda ref: self._reboot(ref, "clean_reboot", (RUNNING,)),
            "VM.hard_reboot": lambda ref: self._reboot(ref, "hard_reboot", (RUNNING, PAUSED)),
            "VM.set_is_a_template": self._set_is_a_template,
            "VM.start_on": self._start_on,
            "VM.resume_on": self._resume_on,
            "VM.power_state_reset": self._reset,
            "VM.assert_operation_valid": self._check_operation,
            "VM.update_allowed_operations": lambda ref: update_allowed_operations(
                self._database.get("VM", ref)
            ),
            "VM.get_possible_hosts": lambda ref: self._database.get("VM", ref) and self._hosts(),
            "VM.assert_can_boot_here": lambda _ref, host: self._check_host(host),
        }

    def start(self, ref: str, start_paused: bool, _force: bool = False) -> None:
        """Start a VM."""
        self._change(ref, "start", (HALTED,), PAUSED if start_paused else RUNNING)

    def stop(self, ref: str) -> None:
        """Stop a VM without asking its guest."""
        self._stop(ref, "hard_shutdown", (RUNNING, PAUSED, SUSPENDED))

    def _hosts(self) -> list[str]:
        return [self._host.ref] if self._host["enabled"] else []

    def _check_host(self, host: str) -> None:
        """Pass the host that VMs can run on.

        :raises Failure: HOST_DISABLED
        """
        if self._database.get("host", host).ref not in self._hosts():
            raise Failure("HOST_DISABLED", host)

    def _start_on(self, ref: str, host: str, start_paused: bool, _force: bool) -> None:
        self._check_host(host)
        self.start(ref, start_paused)

    def _resume_on(self, ref: str, host: str, start_paused: bool, force: bool) -> None:
        self._check_host(host)
        self._resume(ref, start_paused, force)

    def _reset(self, ref: str) -> None:
        """Say that a VM is off, whatever it does."""
        with self._database.lock:
            vm = self._database.get("VM", ref)
            if vm["power_state"] != HALTED:
                vm["power_state"] = HALTED
                self._vanish(vm)
            update_allowed_operations(vm)

    def _check_operation(self, ref: str, operation: str) -> None:
        vm = self._database.get("VM", ref)
        if operation not in vm["allowed_operations"]:
            raise Failure("OPERATION_NOT_ALLOWED", f"{operation} of a VM that is {vm['power_state'].lower()}")

    def _resume(self, ref: str, start_paused: bool, _force: bool) -> None:
        self._change(ref, "resume", (SUSPENDED,), PAUSED if start_paused else RUNNING)

    def _stop(self, ref: str, operation: str, needed: tuple[str, ...]) -> None:
        self._change(ref, operation, needed, HALTED)

    def _shutdown(self, ref: str) -> None:
        """Ask the guest, and where it has no tools, stop it without."""
        has_tools = self._database.get("VM", ref)["guest_metrics"] != NULL
        self._stop(ref, "clean_shutdown" if has_tools else "hard_shutdown", (RUNNING, PAUSED, SUSPENDED))

    def _reboot(self, ref: str, operation: str, needed: tuple[str, ...]) -> None:
        with self._database.lock:
            self._change(ref, operation, needed, HALTED)
            self._change(ref, "start", (HALTED,), RUNNING)

    def _change(self, ref: str, operation: str, needed: Iterable[str], state: str) -> None:
        with self._database.lock:
            vm = self._database.get("VM", ref)
            if vm["is_a_template"]:
                raise Failure("VM_IS_TEMPLATE", ref)
            reason = vm["blocked_operations"].get(operation)
            if reason is not None:
                raise Failure("OPERATION_BLOCKED", ref, reason)
            need_state(vm, *needed)
            if operation.startswith("clean_") and vm["guest_metrics"] == NULL:
                raise Failure("VM_MISSING_PV_DRIVERS", ref)
            if state in (RUNNING, PAUSED) and vm["power_state"] in (HALTED, SUSPENDED) and not self._hosts():
                raise Failure("NO_HOSTS_AVAILABLE")
            before, vm["power_state"] = vm["power_state"], state
            if state in (RUNNING, PAUSED) and before in (HALTED, SUSPENDED):
                self._appear(vm)
            elif state in (HALTED, SUSPENDED) and before != state:
                self._vanish(vm)
            update_allowed_operations(vm)

    def _appear(self, vm: Object) -> None:
        """Give a VM a domain on the host, and let its devices and its tools come up."""
        self._domains += 1
        vm["domid"], vm["resident_on"] = self._domains, self._host.ref
        self._host["resident_VMs"] = [*self._host["resident_VMs"], vm.ref]
        self._set_attached(vm, attached=True)
        metrics = self._database.find("VM_metrics", vm["metrics"])
        if metrics is not None:
            metrics["start_time"] = datetime.now(UTC)
            metrics["memory_actual"] = vm["memory_dynamic_max"]
            metrics["VCPUs_number"] = vm["VCPUs_at_startup"]
        networks: dict[str, str] = {}
        for number, interface in enumerate(vm["VIFs"]):
            address = f"10.{self._domains >> 16 & 255}.{self._domains >> 8 & 255}.{self._domains & 255}"
            device = self._database.get("VIF", interface)["device"]
            if number == 0:
                networks |= {f"{device}/ip": address, f"{device}/ipv4/0": address}
        tools = {
            "networks": networks,
            "PV_drivers_detected": True,
            "PV_drivers_up_to_date": True,
            "live": True,
        }
        vm["guest_metrics"] = self._database.add("VM_guest_metrics", tools).ref

    def _vanish(self, vm: Object) -> None:
        self._set_attached(vm, attached=False)
        vm["domid"], vm["resident_on"] = -1, NULL
        self._host["resident_VMs"] = [ref for ref in self._host["resident_VMs"] if ref != vm.ref]
        tools = self._database.find("VM_guest_metrics", vm["guest_metrics"])
        if tools is not None:
            self._database.remove(tools)
        vm["guest_metrics"] = NULL

    def _set_attached(self, vm: Object, *, attached: bool) -> None:
        for class_name, field in (("VBD", "VBDs"), ("VIF", "VIFs")):
            for ref in vm[field]:
                self._database.get(class_name, ref)["currently_attached"] = attached

    def _set_is_a_template(self, ref: str, value: Any) -> None:
        with self._database.lock:
            vm = self._database.get("VM", ref)
            if value:
                need_state(vm, HALTED)
            vm["is_a_template"] = value
            update_allowed_operations(vm)
