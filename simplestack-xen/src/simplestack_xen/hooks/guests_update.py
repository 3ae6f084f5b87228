"""Change guests, with the additional fields that first-generation clients of Xen send."""

from msgspec import UNSET, Struct, UnsetType

from simplestack import (
    MIB,
    Cpus,
    Guest,
    GuestState,
    GuestUpdate,
    InvalidArguments,
    MemoryMiB,
    gib_to_bytes,
    grown_bytes,
    hookimpl,
    require_state,
)
from simplestack_xen.hooks.guests import show_guest
from simplestack_xen.xapi.drives import Drive, disks
from simplestack_xen.xapi.growth import grow, require_known_bytes
from simplestack_xen.xapi.hardware import Step, boot_steps, carry_out, cpu_steps, memory_step
from simplestack_xen.xapi.lookups import Vm, find_guest, require_guest_state
from simplestack_xen.xapi.naming import rename
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.undo import Undo

#: XAPI's high availability: restart a guest whose host fails if there is room. It promises nothing, so the
#: pool's failover plan cannot forbid it, unlike `restart`.
_BEST_EFFORT = "best-effort"


class XenMemory(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """XAPI's settings of memory. Omitted fields keep their values."""

    #: Memory at the start of the guest in MiB.
    memory_target: MemoryMiB | None = None
    #: Minimum memory in MiB.
    memory_static_min: MemoryMiB | None = None
    #: Maximum memory in MiB.
    memory_static_max: MemoryMiB | None = None


class XenCpus(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """XAPI's settings of virtual CPUs. Omitted fields keep their values."""

    #: Number of virtual CPUs at the start of the guest.
    vcpus_at_startup: Cpus | None = None
    #: Maximum number of virtual CPUs while the guest runs.
    vcpus_max: Cpus | None = None


class XenGuestUpdate(GuestUpdate, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes to a guest. Omitted fields keep their values."""

    #: Memory in MiB, for all of XAPI's settings; or an object with single settings.
    memory: MemoryMiB | XenMemory | UnsetType = UNSET  # type: ignore[assignment]  # core decodes with this class
    #: New memory of a running guest in MiB, between its minimum and maximum.
    memory_target_live: MemoryMiB | UnsetType = UNSET
    #: Number of virtual CPUs, at the start and maximum; or an object with single settings.
    cpus: Cpus | XenCpus | UnsetType = UNSET  # type: ignore[assignment]  # as above
    #: New number of virtual CPUs of a running guest.
    vcpus_number_live: Cpus | UnsetType = UNSET
    #: XAPI's ``VCPUs_params`` to set: ``weight``, ``cap``, ``mask``. Others keep their values.
    vcpu_settings: dict[str, str] | UnsetType = UNSET
    #: Whether to restart the guest on another host when its host fails.
    ha_enabled: bool | UnsetType = UNSET
    #: Whether the guest boots paravirtualized. A string does, too, and has the arguments for its kernel.
    paravirtualized: bool | str | UnsetType = UNSET  # type: ignore[assignment]  # as above


@hookimpl
def guest_update(session: XenSession, guest_id: str, changes: XenGuestUpdate) -> Guest:
    """Change a guest. If a change fails, the earlier ones are undone.

    The guest must be stopped to change memory and CPUs, and must run to change the ``live`` fields.
    """
    vm = find_guest(session, guest_id)
    growth = None if changes.hdd is UNSET else _growth(disks(session, vm.record), gib_to_bytes(changes.hdd))
    steps = _offline_steps(vm, changes)
    if steps:
        attempt = f"change memory, CPUs or the way to boot of guest {vm.record.name_label!r}"
        if changes.template is True and not vm.record.is_a_template:
            attempt = f"make guest {vm.record.name_label!r} a template"
        require_state(vm.record.state, GuestState.STOPPED, attempt=attempt)
    live = _live_steps(vm, changes)
    if live:
        require_guest_state(vm, "change what runs of", GuestState.STARTED)
    with Undo() as undo:
        if changes.name not in (UNSET, vm.record.name_label):
            rename(session, vm, str(changes.name))
            undo.later(session.xenapi.VM.set_name_label, vm.ref, vm.record.name_label)
        carry_out(session, undo, vm, [*steps, *_steps(vm, changes), *live])
        if growth is not None:  # last, since it cannot be undone
            grow(session, *growth)
        return show_guest(session, vm.ref)


def _offline_steps(vm: Vm, changes: XenGuestUpdate) -> list[Step]:
    """Return the changes that require a stopped guest."""
    steps: list[Step] = []
    if changes.memory is not UNSET:
        steps.append(_memory_step(vm, changes.memory))
    if changes.cpus is not UNSET:
        steps += _cpu_steps(vm, changes.cpus)
    if changes.paravirtualized is not UNSET:
        steps += boot_steps(vm, changes.paravirtualized)
    if changes.template is not UNSET:
        steps.append(Step("set_is_a_template", (changes.template,), (vm.record.is_a_template,)))
    return [step for step in steps if step.wanted != step.before]


def _steps(vm: Vm, changes: XenGuestUpdate) -> list[Step]:
    """Return the changes that are possible in any state."""
    steps, record = [], vm.record
    if changes.vcpu_settings is not UNSET:
        settings = record.VCPUs_params | changes.vcpu_settings
        steps.append(Step("set_VCPUs_params", (settings,), (record.VCPUs_params,)))
    if changes.ha_enabled is not UNSET:
        priority = (record.ha_restart_priority or _BEST_EFFORT) if changes.ha_enabled else ""
        steps.append(Step("set_ha_restart_priority", (priority,), (record.ha_restart_priority,)))
    return steps


def _live_steps(vm: Vm, changes: XenGuestUpdate) -> list[Step]:
    """Return the changes that require a running guest."""
    steps, record = [], vm.record
    if changes.memory_target_live is not UNSET:
        target = changes.memory_target_live * MIB
        before = record.memory_dynamic_min, record.memory_dynamic_max
        steps.append(Step("set_memory_dynamic_range", (target, target), before))
    if changes.vcpus_number_live is not UNSET:
        # The current number is unknown: undo restores the number at the start.
        number = changes.vcpus_number_live
        steps.append(Step("set_VCPUs_number_live", (number,), (str(record.VCPUs_at_startup),)))
    return steps


def _memory_step(vm: Vm, wanted: int | XenMemory) -> Step:
    record = vm.record
    if isinstance(wanted, int):
        size = wanted * MIB
        same = memory_step(vm, size, size, size, size)
        # A guest with this maximum keeps its other settings.
        return same._replace(wanted=same.before) if size == record.memory_static_max else same
    low = record.memory_static_min if wanted.memory_static_min is None else wanted.memory_static_min * MIB
    high = record.memory_static_max if wanted.memory_static_max is None else wanted.memory_static_max * MIB
    target_low, target = record.memory_dynamic_min, record.memory_dynamic_max
    if wanted.memory_target is not None:
        target_low = target = wanted.memory_target * MIB
    if not low <= target_low <= target <= high:
        raise InvalidArguments(
            f"`memory`: memory_static_min ({low // MIB} MiB), memory_target ({target // MIB} MiB) and "
            f"memory_static_max ({high // MIB} MiB) must be in this order; omitted fields keep their values"
        )
    return memory_step(vm, low, high, target_low, target)


def _cpu_steps(vm: Vm, wanted: int | XenCpus) -> list[Step]:
    record = vm.record
    if isinstance(wanted, int):
        return (
            [] if wanted == record.VCPUs_at_startup else cpu_steps(vm, wanted, max(wanted, record.VCPUs_max))
        )
    at_startup = record.VCPUs_at_startup if wanted.vcpus_at_startup is None else wanted.vcpus_at_startup
    at_most = record.VCPUs_max if wanted.vcpus_max is None else wanted.vcpus_max
    if at_startup > at_most:
        raise InvalidArguments(
            f"`cpus`: vcpus_at_startup ({at_startup}) is more than vcpus_max ({at_most}); "
            "omitted fields keep their values"
        )
    return cpu_steps(vm, at_startup, at_most)


def _growth(drives: list[Drive], hdd_bytes: int) -> tuple[Drive, int]:
    """Return the last disk, and its new size for this sum of all disks.

    :raises InvalidArguments: the guest has no disk, or the sum would shrink
    :raises Conflict: the size of one of the disks is unknown
    """
    wanted_bytes = grown_bytes("hdd", hdd_bytes, [require_known_bytes(drive, "hdd") for drive in drives])
    return drives[-1], wanted_bytes
