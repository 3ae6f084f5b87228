"""What a ``ConfigSpec`` changes besides devices and the name."""

import re
import uuid
from datetime import UTC, datetime
from typing import Any

from pyVmomi import vim, vmodl

from simulators.vsphere.hardware.plan import Plan, given

#: Fields of the specification that the configuration has under the same name.
_SAME = frozenset(
    {
        *("annotation", "alternateGuestName", "cpuAllocation", "memoryAllocation", "managedBy", "createDate"),
        *("nestedHVEnabled", "changeTrackingEnabled", "latencySensitivity", "swapPlacement", "locationId"),
        "memoryReservationLockedToMax",
    }
)
#: The same, but only while the VM is off.
_SAME_OFF = frozenset({"cpuHotAddEnabled", "memoryHotAddEnabled", "cpuHotRemoveEnabled"})
#: Data objects of which only the properties that are set change.
_MERGED = {"bootOptions": "bootOptions", "flags": "flags", "tools": "tools", "powerOpInfo": "defaultPowerOps"}
_ELSEWHERE = frozenset({"changeVersion", "name", "deviceChange"})
_MAX_CPUS, _MAX_MEMORY_MB = 768, 24 * 1024**2
_GUEST_ID = re.compile(r"[a-z][A-Za-z0-9_]*Guest(64)?\Z")
#: Options that the configuration has as fields and devices.
_ELSEWHERE_SET = re.compile(
    r"(displayName|annotation|guestOS|memSize|numvcpus|cpuid\.coresPerSocket|firmware|uuid\.bios|vc\.uuid"
    r"|(scsi|sata|ide|nvme)\d+(:\d+)?\.(present|virtualDev|fileName|deviceType|mode|startConnected)"
    r"|ethernet\d+\.(present|virtualDev|networkName|address|generatedAddress|addressType|startConnected))\Z",
    re.IGNORECASE,
)
_FULL_NAMES = {
    "debian12_64Guest": "Debian GNU/Linux 12 (64-bit)",
    "otherGuest": "Other (32-bit)",
    "otherGuest64": "Other (64-bit)",
}


def configure(plan: Plan, spec: Any) -> None:
    """Apply a specification to a plan.

    :raises InvalidArgument: a value is not allowed
    :raises InvalidPowerState: the VM must be off
    :raises NotImplemented: the simulator does not have a field
    """
    config, changes = plan.config, given(spec)
    for name, value in changes.items():
        if name in _SAME:
            setattr(config, name, value)
        elif name in _SAME_OFF:
            if value != getattr(config, name):
                plan.need_off()
            setattr(config, name, value)
        elif name in _MERGED:
            _merge(config, _MERGED[name], value)
        elif name in _OWN:
            _OWN[name](plan, value)
        elif name not in _ELSEWHERE:
            message = f"The simulator does not have VirtualMachineConfigSpec.{name}."
            raise vmodl.fault.NotImplemented(msg=message)
    if config.hardware.numCPU % config.hardware.numCoresPerSocket:
        raise invalid("numCoresPerSocket")
    now = datetime.now(UTC)
    config.changeVersion, config.modified = f"{now.isoformat()}-{uuid.uuid4()}", now


def invalid(name: str) -> Exception:
    """Return the fault of a value of the specification that is not allowed."""
    return vmodl.fault.InvalidArgument(invalidProperty=f"configSpec.{name}")


def _merge(config: Any, name: str, value: Any) -> None:
    if getattr(config, name) is None:
        setattr(config, name, value)
        return
    for own, each in given(value).items():
        setattr(getattr(config, name), own, each)


def _set_cpus(plan: Plan, count: int) -> None:
    hardware = plan.config.hardware
    if not 1 <= count <= _MAX_CPUS:
        raise invalid("numCPUs")
    if count == hardware.numCPU:
        return
    plan.need_not_suspended()
    grows = count > hardware.numCPU
    if not plan.is_off and not (plan.config.cpuHotAddEnabled if grows else plan.config.cpuHotRemoveEnabled):
        raise vim.fault.CpuHotPlugNotSupported
    hardware.numCPU = count


def _set_cores(plan: Plan, count: int) -> None:
    if count < 1:
        raise invalid("numCoresPerSocket")
    if count != plan.config.hardware.numCoresPerSocket:
        plan.need_off()
    plan.config.hardware.numCoresPerSocket = count


def _set_memory(plan: Plan, size: int) -> None:
    hardware = plan.config.hardware
    if not 4 <= size <= _MAX_MEMORY_MB or size % 4:
        raise invalid("memoryMB")
    if size == hardware.memoryMB:
        return
    plan.need_not_suspended()
    grows = size > hardware.memoryMB and plan.config.memoryHotAddEnabled
    if not plan.is_off and not grows:
        raise vim.fault.MemoryHotPlugNotSupported
    hardware.memoryMB = size


def _set_guest(plan: Plan, identity: str) -> None:
    if not _GUEST_ID.match(identity):
        raise invalid("guestId")
    plan.need_off()
    plan.config.guestId, plan.config.guestFullName = identity, _FULL_NAMES.get(identity, identity)


def _set_firmware(plan: Plan, kind: str) -> None:
    if kind not in ("bios", "efi"):
        raise invalid("firmware")
    plan.need_off()
    plan.config.firmware = kind


def _set_uuid(plan: Plan, value: str) -> None:
    plan.config.uuid = _uuid(value, "uuid")


def _set_instance_uuid(plan: Plan, value: str) -> None:
    plan.config.instanceUuid = _uuid(value, "instanceUuid")


def _uuid(value: str, name: str) -> str:
    try:
        return str(uuid.UUID(value))
    except ValueError as error:
        raise invalid(name) from error


def _set_extra(plan: Plan, options: list[Any]) -> None:
    """Set options; one with an empty value is removed, and what has a field of its own is ignored."""
    given_options = {each.key: each for each in options if not _ELSEWHERE_SET.match(each.key)}
    merged = {each.key: each for each in plan.config.extraConfig} | given_options
    plan.config.extraConfig = [each for each in merged.values() if each.value != ""]


_OWN: dict[str, Any] = {
    "numCPUs": _set_cpus,
    "numCoresPerSocket": _set_cores,
    "memoryMB": _set_memory,
    "guestId": _set_guest,
    "firmware": _set_firmware,
    "uuid": _set_uuid,
    "instanceUuid": _set_instance_uuid,
    "extraConfig": _set_extra,
}
