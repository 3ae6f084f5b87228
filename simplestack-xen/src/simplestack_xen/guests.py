"""Guests: what they are, their copies, and their end. Their making and changing have modules of their own."""

from collections.abc import Iterable

from simplestack import Guest, GuestState, HypervisorError, hookimpl
from simplestack_xen.entities import guest_entity
from simplestack_xen.lookups import Vm, find_guest, require_guest_state
from simplestack_xen.naming import with_name
from simplestack_xen.records import (
    NULL,
    GuestMetricsRecord,
    HostRecord,
    VbdRecord,
    VbdSummary,
    VdiRecord,
    VdiSummary,
    VmRecord,
    VmSummary,
)
from simplestack_xen.removal import remove_vm
from simplestack_xen.session import XenSession
from simplestack_xen.tasks import reference_in


@hookimpl
def guest_list(session: XenSession, fields: frozenset[str]) -> list[Guest]:
    """List all guests: five round trips. ``hdd`` takes two of them, ``host`` one, what tools tell another."""
    api = session.api
    guests = {ref: vm for ref, vm in api.read_all(VmSummary, "VM").items() if vm.is_guest}
    sizes = _disk_sizes(session) if "hdd" in fields else {}
    tools = {}
    if not fields.isdisjoint(("ip", "tools_up_to_date")):
        tools = api.read_all(GuestMetricsRecord, "VM_guest_metrics")
    hosts = api.read_all(HostRecord, "host") if "host" in fields else {}
    return [
        guest_entity(
            vm,
            _sum_of_known(sizes.get(drive, 0) for drive in vm.VBDs) if "hdd" in fields else None,
            tools.get(vm.guest_metrics),
            hosts[vm.resident_on].name_label if vm.resident_on in hosts else None,
        )
        for vm in guests.values()
    ]


@hookimpl
def guest_info(session: XenSession, guest_id: str) -> Guest:
    """Show one guest: three round trips, whatever it has, and one more when the session sees it first."""
    return _shown(session, find_guest(session, guest_id))


@hookimpl
def guest_clone(session: XenSession, guest_id: str, name: str) -> Guest:
    """Clone a guest that is off, as fast as its storages can."""
    vm = find_guest(session, guest_id)
    require_guest_state(vm, "clone", GuestState.STOPPED)
    made = with_name(
        session,
        name,
        lambda: reference_in(session.tasks.run("VM.clone", vm.ref, name)),
        lambda ref: remove_vm(session, ref),
    )
    return show(session, made)


@hookimpl
def guest_delete(session: XenSession, guest_id: str) -> None:
    """Destroy a guest that is off, then its snapshots, then the disks that were theirs alone."""
    vm = find_guest(session, guest_id)
    require_guest_state(vm, "delete", GuestState.STOPPED)
    left = remove_vm(session, vm.ref)
    if left:
        raise HypervisorError(f"the guest is gone, but not {', '.join(left)}: remove that by hand")


def show(session: XenSession, ref: str) -> Guest:
    """Return the entity of a VM."""
    return _shown(session, Vm(ref, session.api.read(VmRecord, "VM.get_record", ref)))


def _shown(session: XenSession, vm: Vm) -> Guest:
    """Return the entity of a VM: two round trips."""
    record = vm.record
    found = session.api.read_mixed(
        {"VBD": record.VBDs, "VM_guest_metrics": [record.guest_metrics], "host": [record.resident_on]}
    )
    disks = [
        vbd.VDI for vbd in map(found.get, record.VBDs) if isinstance(vbd, VbdRecord) and _holds_disk(vbd)
    ]
    images = session.api.read_some(VdiRecord, "VDI", disks)
    metrics, host = found.get(record.guest_metrics), found.get(record.resident_on)
    return guest_entity(
        record,
        _sum_of_known(_known_bytes(images.get(ref)) for ref in disks),
        metrics if isinstance(metrics, GuestMetricsRecord) else None,
        host.name_label if isinstance(host, HostRecord) else None,
    )


def _disk_sizes(session: XenSession) -> dict[str, int | None]:
    """Return the bytes of the disk in each drive that has one; None where XAPI does not tell."""
    images = session.api.read_all(VdiSummary, "VDI")
    found = session.api.read_all(VbdSummary, "VBD").items()
    return {ref: _known_bytes(images.get(vbd.VDI)) for ref, vbd in found if _holds_disk(vbd)}


def _holds_disk(drive: VbdRecord | VbdSummary) -> bool:
    return drive.type == "Disk" and drive.VDI != NULL


def _known_bytes(image: VdiSummary | None) -> int | None:
    """Return the size of a disk image; None for one that XAPI has no record of, or no size."""
    return None if image is None else image.known_bytes


def _sum_of_known(sizes: Iterable[int | None]) -> int | None:
    """Return the sum, or None: part of a sum is not the sum."""
    total = 0
    for size in sizes:
        if size is None:
            return None
        total += size
    return total
