"""The power states of VMs, and what changes with them. Whether they may change is not asked here."""

from collections.abc import Callable
from datetime import UTC, datetime

from simulators.xapi.database import Database, Object
from simulators.xapi.failures import Failure
from simulators.xapi.guests import bring_up_tools, forget_tools
from simulators.xapi.lifecycle import (
    HALTED,
    PAUSED,
    RUNNING,
    SUSPENDED,
    check,
    update_allowed_operations,
)
from simulators.xapi.messages import Handler
from simulators.xapi.placement import check_host, possible_hosts
from simulators.xapi.suspension import SuspendImages
from simulators.xapi.types import NULL


class Power:
    """Starts and stops VMs."""

    def __init__(self, database: Database, images: SuspendImages, *, tools: bool = True) -> None:
        """Begin with no domain.

        :param tools: whether there are tools in guests, which come up as soon as those are started
        """
        self._database = database
        self._images = images
        self._has_tools = tools
        self._domains = 0

    def handlers(self) -> dict[str, Handler]:
        """Return what the messages do."""
        database = self._database
        return {
            "VM.start": lambda ref, is_paused, _force: self._start(ref, is_paused, None),
            "VM.start_on": lambda ref, host, is_paused, _force: self._start(ref, is_paused, host),
            "VM.clean_shutdown": self._with(self.stop),
            "VM.hard_shutdown": self._with(self.stop),
            "VM.shutdown": self._with(self.stop),
            "VM.suspend": self._with(self.suspend),
            "VM.resume": lambda ref, is_paused, _force: self.resume(database.get("VM", ref), is_paused),
            "VM.resume_on": lambda ref, host, is_paused, _force: self.resume(
                database.get("VM", ref), is_paused, host
            ),
            "VM.pause": self._with(lambda vm: self._set_state(vm, PAUSED)),
            "VM.unpause": self._with(lambda vm: self._set_state(vm, RUNNING)),
            "VM.clean_reboot": self._with(self._reboot),
            "VM.hard_reboot": self._with(self._reboot),
            "VM.power_state_reset": self._with(lambda vm: self.reset(vm, HALTED)),
            "VM.assert_operation_valid": lambda ref, name: check(database, database.get("VM", ref), name),
            "VM.update_allowed_operations": self._with(lambda vm: update_allowed_operations(database, vm)),
            "VM.get_possible_hosts": lambda ref: possible_hosts(database, database.get("VM", ref)),
            "VM.assert_can_boot_here": lambda ref, host: check_host(database, database.get("VM", ref), host),
        }

    def stop(self, vm: Object) -> None:
        """Let a VM be off. The memory of a suspended one is gone."""
        with self._database.lock:
            self.reset(vm, HALTED)
            self._images.destroy(vm)

    def suspend(self, vm: Object) -> None:
        """Write the memory of a VM to a storage. Its devices stay its own."""
        with self._database.lock:
            self._images.make(vm)
            self.reset(vm, SUSPENDED)

    def resume(self, vm: Object, start_paused: bool = False, host: str | None = None) -> None:
        """Let a suspended VM go on. What its guest has told stays."""
        with self._database.lock:
            self._appear(vm, self._host_for(vm, host))
            self._images.destroy(vm)
            self._set_state(vm, PAUSED if start_paused else RUNNING)

    def reset(self, vm: Object, state: str) -> None:
        """Say that a VM is off or suspended, whatever it does. One that is off has no device plugged in."""
        with self._database.lock:
            if state == HALTED:
                self._set_attached(vm, attached=False)
            host = self._database.find("host", vm["resident_on"])
            if host is not None:
                host["resident_VMs"] = [ref for ref in host["resident_VMs"] if ref != vm.ref]
            vm["domid"], vm["resident_on"] = -1, NULL
            self._set_state(vm, state)

    def _with(self, do: Callable[[Object], None]) -> Handler:
        def done(ref: str) -> None:
            with self._database.lock:
                do(self._database.get("VM", ref))

        return done

    def _start(self, ref: str, start_paused: bool, host: str | None) -> None:
        with self._database.lock:
            vm = self._database.get("VM", ref)
            self._boot(vm, self._host_for(vm, host), PAUSED if start_paused else RUNNING)

    def _reboot(self, vm: Object) -> None:
        host = self._database.get("host", vm["resident_on"])
        self.reset(vm, HALTED)
        self._boot(vm, host, RUNNING)

    def _boot(self, vm: Object, host: Object, state: str) -> None:
        self._appear(vm, host)
        self._set_attached(vm, attached=True)
        forget_tools(self._database, vm)
        if self._has_tools:
            bring_up_tools(self._database, vm, self._addresses(vm))
        self._set_state(vm, state)

    def _host_for(self, vm: Object, asked: str | None) -> Object:
        """Return the host that a VM is to run on.

        :raises Failure: HOST_DISABLED, VM_REQUIRES_SR or NO_HOSTS_AVAILABLE
        """
        if asked is not None:
            check_host(self._database, vm, asked)
            return self._database.get("host", asked)
        possible = possible_hosts(self._database, vm)
        if not possible:
            raise Failure("NO_HOSTS_AVAILABLE")
        return self._database.get("host", vm["affinity"] if vm["affinity"] in possible else possible[0])

    def _set_state(self, vm: Object, state: str) -> None:
        vm["power_state"] = state
        update_allowed_operations(self._database, vm)

    def _appear(self, vm: Object, host: Object) -> None:
        """Give a VM a domain on a host."""
        self._domains += 1
        vm["domid"], vm["resident_on"] = self._domains, host.ref
        host["resident_VMs"] = [*host["resident_VMs"], vm.ref]
        metrics = self._database.find("VM_metrics", vm["metrics"])
        if metrics is not None:
            metrics["start_time"] = datetime.now(UTC)
            metrics["memory_actual"] = vm["memory_dynamic_max"]
            metrics["VCPUs_number"] = vm["VCPUs_at_startup"]
            metrics["current_domain_type"] = vm["domain_type"]
            metrics["hvm"] = vm["domain_type"] == "hvm"

    def _addresses(self, vm: Object) -> dict[str, str]:
        """Return the addresses of a guest: its first interface has one."""
        address = f"10.{self._domains >> 16 & 255}.{self._domains >> 8 & 255}.{self._domains & 255}"
        devices = [self._database.get("VIF", ref)["device"] for ref in vm["VIFs"][:1]]
        return {f"{device}/{kind}": address for device in devices for kind in ("ip", "ipv4/0")}

    def _set_attached(self, vm: Object, *, attached: bool) -> None:
        for class_name, field in (("VBD", "VBDs"), ("VIF", "VIFs")):
            for ref in vm[field]:
                self._database.get(class_name, ref)["currently_attached"] = attached
