"""Changes to guests: what can be refused is refused before anything is changed."""

from collections.abc import Callable

from msgspec import UNSET

from simplestack import (
    Conflict,
    Guest,
    GuestState,
    GuestUpdate,
    InvalidArguments,
    InvalidState,
    gib,
    gib_to_bytes,
    hookimpl,
)
from simplestack_kvm.documents import parse_document
from simplestack_kvm.domains import find_domain, modification_flags, need, state_of, wait_until
from simplestack_kvm.faults import has_reason
from simplestack_kvm.guests import show_guest
from simplestack_kvm.guests_create import check_name, is_taken, taken
from simplestack_kvm.records import DomainRecord, domain_record, is_paravirtualized
from simplestack_kvm.resizing import plan_growth
from simplestack_kvm.sdk import libvirt
from simplestack_kvm.session import KvmSession
from simplestack_kvm.volumes import disk_sizes

#: How long a running guest's balloon may take; after that the guest is shown as it is.
BALLOON_SECONDS = 3.0

Step = Callable[[], object]


@hookimpl
def guest_update(session: KvmSession, guest_id: str, changes: GuestUpdate) -> Guest:
    """Change a domain.

    A running one gets memory and CPUs up to the maximum that it was started with, and larger disks; a new
    name it gets when it is stopped.

    :raises NotImplementedError: ``paravirtualized`` other than it is, or ``template``
    """
    domain = find_domain(session, guest_id)
    record = domain_record(parse_document(domain.XMLDesc()))
    _refuse_impossible(record, changes)
    steps: list[Step] = []
    if changes.name is not UNSET and changes.name != record.name:
        need(domain, "renaming the guest", GuestState.STOPPED)
        check_name(session, changes.name)
        steps.append(_renaming(session, domain, changes.name))
    if changes.memory is not UNSET and changes.memory != record.memory_mib:
        steps.append(_memory(domain, changes.memory))
    if changes.cpus is not UNSET and changes.cpus != record.cpus:
        steps.append(_cpus(domain, changes.cpus))
    if changes.hdd is not UNSET:
        steps += _hdd(session, domain, record, changes.hdd)
    for step in steps:
        step()
    return show_guest(session, domain)


def _refuse_impossible(record: DomainRecord, changes: GuestUpdate) -> None:
    current = is_paravirtualized(disk.target for disk in record.disks)
    if changes.paravirtualized not in (UNSET, current):
        raise NotImplementedError(
            "`paravirtualized` cannot be changed on this hypervisor: the guest might lose the drivers "
            "that it boots with; make a new guest"
        )
    if changes.template is True:
        raise NotImplementedError("this hypervisor has no templates: a guest is made of an image")


def _renaming(session: KvmSession, domain: "libvirt.virDomain", name: str) -> Step:
    def rename() -> None:
        try:
            domain.rename(name)
        except libvirt.libvirtError as error:
            if not has_reason(error):
                # It may have succeeded: then the guest that has the new name is this one.
                if find_domain(session, domain.UUIDString()).name() == name:
                    return
                raise
            if error.get_error_code() == libvirt.VIR_ERR_OPERATION_INVALID:
                need(domain, "renaming the guest", GuestState.STOPPED)
            if is_taken(session, name):
                raise taken(name) from None
            raise

    return rename


def _memory(domain: "libvirt.virDomain", memory_mib: int) -> Step:
    wanted_kib = memory_mib * 1024
    if not _is_changeable_live(domain, "changing the memory"):
        maximum = libvirt.VIR_DOMAIN_AFFECT_CONFIG | libvirt.VIR_DOMAIN_MEM_MAXIMUM

        def define() -> None:
            domain.setMemoryFlags(wanted_kib, maximum)
            domain.setMemoryFlags(wanted_kib, libvirt.VIR_DOMAIN_AFFECT_CONFIG)

        return define
    maximum_kib = int(domain.maxMemory())
    if wanted_kib > maximum_kib:
        raise InvalidState(
            f"more memory than the {maximum_kib // 1024} MiB that the guest was started with",
            state_of(domain),
            GuestState.STOPPED,
        )

    def balloon() -> None:
        domain.setMemoryFlags(wanted_kib, modification_flags(domain))
        wait_until(lambda: int(domain.info()[2]) == wanted_kib, BALLOON_SECONDS)

    return balloon


def _cpus(domain: "libvirt.virDomain", cpus: int) -> Step:
    attempt = "changing the CPUs"
    if not _is_changeable_live(domain, attempt):
        maximum = libvirt.VIR_DOMAIN_AFFECT_CONFIG | libvirt.VIR_DOMAIN_VCPU_MAXIMUM

        def define() -> None:
            domain.setVcpusFlags(cpus, maximum)
            domain.setVcpusFlags(cpus, libvirt.VIR_DOMAIN_AFFECT_CONFIG)

        return define
    most = domain.vcpusFlags(libvirt.VIR_DOMAIN_AFFECT_LIVE | libvirt.VIR_DOMAIN_VCPU_MAXIMUM)
    # Guests made here have all their CPUs from the start, and such cannot be unplugged.
    fewest = domain.vcpusFlags(libvirt.VIR_DOMAIN_AFFECT_LIVE)
    if not fewest <= cpus <= most:
        raise InvalidState(
            f"{attempt} of a guest that runs with {fewest} of at most {most} to {cpus}",
            state_of(domain),
            GuestState.STOPPED,
        )
    return lambda: domain.setVcpusFlags(cpus, modification_flags(domain))


def _is_changeable_live(domain: "libvirt.virDomain", attempt: str) -> bool:
    """Tell whether a change must reach a running guest.

    :raises InvalidState: it is saved to disk, with the hardware that it had
    """
    if domain.isActive():
        return True
    need(domain, attempt, GuestState.STOPPED)
    return False


def _hdd(
    session: KvmSession, domain: "libvirt.virDomain", record: DomainRecord, hdd_gib: float
) -> list[Step]:
    if not record.disks:
        raise InvalidArguments("`hdd` cannot be changed: the guest has no disk; add one first")
    sizes = disk_sizes(session, domain, record.disks, active=bool(domain.isActive()))
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes):
        raise Conflict("`hdd` cannot be changed: the size of a disk of the guest cannot be found out")
    more = gib_to_bytes(hdd_gib) - sum(known)
    # The sum went to the client as a number of GiB, which may have lost less than a sector.
    if abs(more) < 512:
        return []
    if more < 0:
        raise InvalidArguments(
            f"`hdd` is {hdd_gib:g} GiB, the guest's disks have {gib(sum(known)):g} GiB: disks only grow"
        )
    return [plan_growth(session, domain, record.disks[-1], known[-1] + more)]
