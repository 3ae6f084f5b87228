"""Change a VM's memory, CPUs and boot mode, and undo the changes if one fails."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from simplestack import MIB
from simplestack_xen.xapi.lookups import Vm
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.undo import Undo

HVM_BOOT_POLICY = "BIOS order"
PV_BOOTLOADER = "pygrub"
_PV_ARGS = "-- quiet console=hvc0"

#: XAPI runs these after all other operations on the guest, however long they take. So they are tasks, which
#: can be cancelled.
_WAITING = frozenset(
    {
        "set_memory_limits",
        "set_memory_dynamic_range",
        "set_VCPUs_max",
        "set_VCPUs_at_startup",
        "set_VCPUs_number_live",
        "set_ha_restart_priority",
    }
)


class Step(NamedTuple):
    """A setting of XAPI: the message, the new value, and the former value."""

    message: str
    wanted: tuple[Any, ...]
    before: tuple[Any, ...]


def carry_out(session: XenSession, undo: Undo, vm: Vm, steps: Iterable[Step]) -> None:
    """Change the settings of a VM that differ."""
    for step in steps:
        if step.wanted != step.before:
            undo.later(getattr(session.xenapi.VM, step.message), vm.ref, *step.before)
            messages = session.tasks.run if step.message in _WAITING else session.xenapi
            getattr(messages.VM, step.message)(vm.ref, *step.wanted)


def hardware_steps(
    vm: Vm, *, memory_mib: int | None, cpus: int | None, paravirtualized: bool | None
) -> list[Step]:
    """Return the steps that give a new VM what a request says; None keeps what the VM has."""
    steps = [] if memory_mib is None else [memory_step(vm, *[memory_mib * MIB] * 4)]
    if cpus is not None:
        steps += cpu_steps(vm, cpus, max(cpus, vm.record.VCPUs_max))
    if paravirtualized is not None:
        steps += boot_steps(vm, paravirtualized)
    return steps


def memory_step(vm: Vm, low: int, high: int, target_low: int, target_high: int) -> Step:
    """Return the step that sets a VM's memory: static and dynamic limits, in bytes."""
    record = vm.record
    static = record.memory_static_min, record.memory_static_max
    dynamic = record.memory_dynamic_min, record.memory_dynamic_max
    return Step("set_memory_limits", (low, high, target_low, target_high), (*static, *dynamic))


def cpu_steps(vm: Vm, at_startup: int, at_most: int) -> list[Step]:
    """Return the steps that set a VM's CPUs. The number at the start never exceeds the maximum."""
    record = vm.record
    steps = [
        Step("set_VCPUs_max", (at_most,), (record.VCPUs_max,)),
        Step("set_VCPUs_at_startup", (at_startup,), (record.VCPUs_at_startup,)),
    ]
    return steps if at_most >= record.VCPUs_at_startup else steps[::-1]


def boot_steps(vm: Vm, wanted: bool | str) -> list[Step]:
    """Return the steps that set a VM's boot mode: paravirtualized or HVM.

    :param wanted: a string is the arguments for the kernel of a paravirtualized VM
    """
    record = vm.record
    if wanted:
        arguments = wanted if isinstance(wanted, str) else record.PV_args or _PV_ARGS
        bootloader, policy = record.PV_bootloader or PV_BOOTLOADER, ""
    else:
        arguments, bootloader, policy = "", record.PV_bootloader, record.HVM_boot_policy or HVM_BOOT_POLICY
    return [
        Step("set_PV_bootloader", (bootloader,), (record.PV_bootloader,)),
        Step("set_PV_args", (arguments,), (record.PV_args,)),
        Step("set_HVM_boot_policy", (policy,), (record.HVM_boot_policy,)),
    ]
