"""Change memory and CPUs of guests.

A domain has a maximum and a current amount of both. A maximum that is higher than the current amount was set
by somebody who wants the guest to grow while it runs: it is raised where needed and never lowered. Without
such room, as in guests that Simplestack makes, both stay the same: a guest has no more than it is given.
"""

import xml.etree.ElementTree as ET
from dataclasses import dataclass

from simplestack import GuestState, InvalidArguments, InvalidState
from simplestack_kvm.libvirtd.changes.undo import Step
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.guests.domains import (
    modification_flags,
    require_guest_state,
    state_of,
    wait_until,
)
from simplestack_kvm.sdk import libvirt

#: How long a running guest's balloon may take; after that the guest is shown as it is.
BALLOON_SECONDS = 3.0

_KIB_PER_MIB = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class _Amount:
    """How much a domain's definition has of something."""

    most: int
    now: int
    #: The parts of the domain (a topology, NUMA cells) add up to the maximum, so it cannot change by itself.
    fixed: bool

    def most_for(self, wanted: int) -> int:
        """Return the maximum for a new number."""
        if self.now < self.most or self.fixed:
            return max(self.most, wanted)
        return wanted


def plan_memory(domain: "libvirt.virDomain", memory_mib: int) -> Step:
    """Return the step that changes a domain's memory.

    :raises InvalidState: the guest runs and has less at most, or is saved to disk
    :raises InvalidArguments: its NUMA cells have less
    """
    wanted_kib = memory_mib * _KIB_PER_MIB
    active = _is_changeable_live(domain, "change the memory of")
    before = _defined_memory(domain)
    undoing = f"restoring the guest's memory to {before.now // _KIB_PER_MIB} MiB"
    if not active:
        most_kib = before.most_for(wanted_kib)
        if before.fixed and most_kib > before.most:
            raise InvalidArguments(
                f"`memory` is {memory_mib} MiB, and the guest's NUMA cells have at most "
                f"{before.most // _KIB_PER_MIB} MiB: change the cells first, with virsh"
            )
        return Step(
            apply=lambda: _define_memory(domain, most_kib, wanted_kib, before.most),
            undo=lambda: _define_memory(domain, before.most, before.now, None),
            undoing=undoing,
        )
    maximum_kib, current_kib = int(domain.maxMemory()), int(domain.info()[2])
    if wanted_kib > maximum_kib:
        raise InvalidState(
            f"give guest {domain.name()!r} more memory than the {maximum_kib // _KIB_PER_MIB} MiB that it "
            "was started with",
            state_of(domain),
            GuestState.STOPPED,
        )

    def balloon() -> None:
        domain.setMemoryFlags(wanted_kib, modification_flags(domain))
        wait_until(lambda: int(domain.info()[2]) == wanted_kib, BALLOON_SECONDS)

    def deflate() -> None:
        domain.setMemoryFlags(current_kib, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        if domain.isPersistent():
            domain.setMemoryFlags(before.now, libvirt.VIR_DOMAIN_AFFECT_CONFIG)

    return Step(apply=balloon, undo=deflate, undoing=undoing)


def plan_cpus(domain: "libvirt.virDomain", cpus: int) -> Step:
    """Return the step that changes a domain's CPUs.

    :raises InvalidState: the guest runs and cannot have so many or so few, or is saved to disk
    :raises InvalidArguments: its CPU topology has less
    """
    attempt = "change the CPUs of"
    active = _is_changeable_live(domain, attempt)
    before = _defined_cpus(domain)
    undoing = f"restoring the guest's CPUs to {before.now}"
    if not active:
        most = before.most_for(cpus)
        if before.fixed and most > before.most:
            raise InvalidArguments(
                f"`cpus` is {cpus}, and the guest's CPU topology has at most {before.most}: change the "
                "topology first, with virsh"
            )
        return Step(
            apply=lambda: _define_cpus(domain, most, cpus, before.most),
            undo=lambda: _define_cpus(domain, before.most, before.now, None),
            undoing=undoing,
        )
    most = domain.vcpusFlags(libvirt.VIR_DOMAIN_AFFECT_LIVE | libvirt.VIR_DOMAIN_VCPU_MAXIMUM)
    # Guests made here have all their CPUs from the start, and such cannot be unplugged.
    fewest = domain.vcpusFlags(libvirt.VIR_DOMAIN_AFFECT_LIVE)
    if not fewest <= cpus <= most:
        raise InvalidState(
            f"{attempt} guest {domain.name()!r}, which runs with {fewest} of at most {most}, to {cpus}",
            state_of(domain),
            GuestState.STOPPED,
        )

    def unplug() -> None:
        if domain.isPersistent():
            domain.setVcpusFlags(before.now, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
        domain.setVcpusFlags(fewest, libvirt.VIR_DOMAIN_AFFECT_LIVE)

    return Step(
        apply=lambda: domain.setVcpusFlags(cpus, modification_flags(domain)), undo=unplug, undoing=undoing
    )


def _define_memory(domain: "libvirt.virDomain", most: int, now: int, known_most: int | None) -> None:
    if most != known_most:
        domain.setMemoryFlags(most, libvirt.VIR_DOMAIN_AFFECT_CONFIG | libvirt.VIR_DOMAIN_MEM_MAXIMUM)
    domain.setMemoryFlags(now, libvirt.VIR_DOMAIN_AFFECT_CONFIG)


def _define_cpus(domain: "libvirt.virDomain", most: int, now: int, known_most: int | None) -> None:
    if most != known_most:
        domain.setVcpusFlags(most, libvirt.VIR_DOMAIN_AFFECT_CONFIG | libvirt.VIR_DOMAIN_VCPU_MAXIMUM)
    domain.setVcpusFlags(now, libvirt.VIR_DOMAIN_AFFECT_CONFIG)


def _is_changeable_live(domain: "libvirt.virDomain", attempt: str) -> bool:
    """Tell whether a change must reach a running guest.

    :raises InvalidState: it is saved to disk, with the hardware that it had
    """
    if domain.isActive():
        return True
    require_guest_state(domain, attempt, GuestState.STOPPED)
    return False


def _defined_memory(domain: "libvirt.virDomain") -> _Amount:
    document = _definition(domain)
    most = int(document.findtext("memory", "0"))
    return _Amount(
        most=most,
        now=int(document.findtext("currentMemory", str(most))),
        fixed=document.find("cpu/numa") is not None,
    )


def _defined_cpus(domain: "libvirt.virDomain") -> _Amount:
    document = _definition(domain)
    vcpu = document.find("vcpu")
    most = 1 if vcpu is None else int(vcpu.text or 1)
    return _Amount(
        most=most,
        now=most if vcpu is None else int(vcpu.get("current", most)),
        fixed=document.find("cpu/topology") is not None or document.find("cpu/numa") is not None,
    )


def _definition(domain: "libvirt.virDomain") -> ET.Element:
    return parse_document(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
