"""Change guests. A failed change leaves the guest as it was.

As much as possible is checked before the first change. If libvirt rejects a later one, the earlier ones are
undone.
"""

from msgspec import UNSET

from simplestack import (
    Guest,
    GuestState,
    GuestUpdate,
    gib_to_bytes,
    grown_bytes,
    hookimpl,
)
from simplestack_kvm.entities import is_paravirtualized
from simplestack_kvm.hooks.guests import show_guest
from simplestack_kvm.libvirtd.changes.undo import Step, apply_all
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.disks.growth import plan_growth, unknown_size
from simplestack_kvm.libvirtd.firmware.nvram import reject_renaming
from simplestack_kvm.libvirtd.guests.domains import find_domain, require_guest_state
from simplestack_kvm.libvirtd.guests.hardware import plan_cpus, plan_memory
from simplestack_kvm.libvirtd.guests.naming import check_name, renaming
from simplestack_kvm.libvirtd.guests.records import DomainRecord, domain_record
from simplestack_kvm.libvirtd.guests.templates import setting
from simplestack_kvm.libvirtd.storage.sizes import sizes_to_change
from simplestack_kvm.sdk import libvirt


@hookimpl
def guest_update(session: KvmSession, guest_id: str, changes: GuestUpdate) -> Guest:
    """Change a domain.

    For a running domain, memory and CPUs can be changed up to the maximum at its start, and disks can grow.
    To rename it, stop it first. A maximum above the current amount is never lowered.

    :raises InvalidState: the guest is not stopped, and is to become a template, or get another name
    :raises NotImplementedError: ``paravirtualized`` differs, or the guest would lose its UEFI variables
    """
    domain = find_domain(session, guest_id)
    document = parse_document(domain.XMLDesc())
    record = domain_record(document)
    _reject_impossible(record, changes)
    steps: list[Step] = []
    if changes.name is not UNSET and changes.name != record.name:
        require_guest_state(domain, "rename", GuestState.STOPPED)
        check_name(session, changes.name)
        reject_renaming(document)
        steps.append(renaming(session, domain, record.name, changes.name))
    if changes.memory is not UNSET and changes.memory != record.memory_mib:
        steps.append(plan_memory(domain, changes.memory))
    if changes.cpus is not UNSET and changes.cpus != record.cpus:
        steps.append(plan_cpus(domain, changes.cpus))
    if changes.template is not UNSET:
        steps += setting(session, domain, template=changes.template)
    if changes.hdd is not UNSET:
        steps += _hdd(session, domain, record, changes.hdd)
    apply_all(steps)
    return show_guest(session, domain)


def _reject_impossible(record: DomainRecord, changes: GuestUpdate) -> None:
    current = is_paravirtualized(disk.target for disk in record.disks)
    if changes.paravirtualized not in (UNSET, current):
        raise NotImplementedError(
            "`paravirtualized` cannot be changed on this hypervisor, since the guest may lack the drivers "
            "to boot: create a new guest"
        )


def _hdd(
    session: KvmSession, domain: "libvirt.virDomain", record: DomainRecord, hdd_gib: float
) -> list[Step]:
    known = []
    for disk, size in zip(record.disks, sizes_to_change(session, domain, record.disks), strict=True):
        if size is None:
            raise unknown_size(disk)
        known.append(size)
    total_bytes = gib_to_bytes(hdd_gib)
    wanted_bytes = grown_bytes("hdd", total_bytes, known)
    if wanted_bytes == known[-1]:
        return []

    def check(current_bytes: int) -> None:
        grown_bytes("hdd", total_bytes, [*known[:-1], current_bytes])

    # The last step: growing cannot be undone without risking data.
    grow = plan_growth(session, domain, record.disks[-1], wanted_bytes, check)
    return [Step(apply=grow, undo=None)]
