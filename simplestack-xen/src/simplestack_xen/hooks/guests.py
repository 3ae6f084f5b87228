"""List, show, clone and delete guests."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from simplestack import CloudInit, Guest, GuestState, HypervisorError, hookimpl
from simplestack_xen.entities import guest_entity
from simplestack_xen.xapi.cloud_init import add_data, has_data, own_copy, remove_copied_data
from simplestack_xen.xapi.drives import is_for_cloud_init
from simplestack_xen.xapi.lookups import Vm, find_guest, require_guest_state
from simplestack_xen.xapi.making import Making, remove_marks
from simplestack_xen.xapi.naming import with_name
from simplestack_xen.xapi.records import (
    GuestMetricsRecord,
    HostRecord,
    VbdRecord,
    VbdSummary,
    VdiRecord,
    VdiSummary,
    VmRecord,
    VmSummary,
)
from simplestack_xen.xapi.removal import remove_vm
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.storages import sr_beside
from simplestack_xen.xapi.tasks import reference_in
from simplestack_xen.xapi.undo import Undo


@hookimpl
def guest_list(session: XenSession, fields: frozenset[str]) -> list[Guest]:
    """List all guests: five round trips, two of them for ``hdd``, one for ``host``, one for ``ip``."""
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
            _sum_of_known(sizes.get(ref, [])) if "hdd" in fields else None,
            tools.get(vm.current_guest_metrics),
            hosts[vm.resident_on].name_label if vm.resident_on in hosts else None,
        )
        for ref, vm in guests.items()
    ]


@hookimpl
def guest_info(session: XenSession, guest_id: str) -> Guest:
    """Show one guest: a round trip for each thing it has, or three where it has many."""
    return _shown(session, find_guest(session, guest_id))


@hookimpl
def guest_clone(session: XenSession, guest_id: str, name: str, cloud_init: CloudInit | None) -> Guest:
    """Clone a stopped guest, as fast as its storages support."""
    vm = find_guest(session, guest_id)
    require_guest_state(vm, "clone", GuestState.STOPPED)
    if cloud_init is not None or has_data(vm):
        return _clone_with_data(session, vm, name, cloud_init)
    made = with_name(
        session,
        name,
        lambda: reference_in(session.tasks.run.VM.clone(vm.ref, name)),
        lambda ref: remove_vm(session, ref),
    )
    return show_copy(session, made)


def _clone_with_data(session: XenSession, vm: Vm, name: str, data: CloudInit | None) -> Guest:
    """Clone a guest, and replace the data for cloud-init. Until then, the clone is marked as unfinished."""
    sr = None if data is None else sr_beside(session, vm.record)
    making = Making(session)

    def clone() -> str:
        with making.copying_vm(vm.ref, vm.record, name):
            return reference_in(session.tasks.run.VM.clone(vm.ref, name))

    with Undo() as undo:
        ref = with_name(session, name, clone, lambda made: remove_vm(session, made))
        undo.do("VM.destroy", remove_vm, session, ref)
        made = Vm(ref, session.api.read(VmRecord, "VM.get_record", ref))
        own_copy(session, making, made)
        if data is not None and sr is not None:
            add_data(session, undo, making, made, data, sr=sr)
        making.finish()
        return show_guest(session, ref)


@hookimpl
def guest_delete(session: XenSession, guest_id: str) -> None:
    """Destroy a stopped guest, then its snapshots, then the disks that only they used."""
    vm = find_guest(session, guest_id)
    require_guest_state(vm, "delete", GuestState.STOPPED)
    left = remove_vm(session, vm.ref)
    if left:
        raise HypervisorError(
            f"the guest is deleted, but these are left: {', '.join(left)}; remove them by hand"
        )


def show_guest(session: XenSession, ref: str) -> Guest:
    """Return the entity of a VM."""
    return _shown(session, Vm(ref, session.api.read(VmRecord, "VM.get_record", ref)))


def show_copy(session: XenSession, ref: str, *, is_imported: bool = False) -> Guest:
    """Return the entity of a VM that is cloned or imported.

    It loses the marks of its original, and the original's data for cloud-init.

    :param is_imported: whether its disks may have marks although the VM has none
    """
    vm = Vm(ref, session.api.read(VmRecord, "VM.get_record", ref))
    remove_marks(session, *vm)
    if is_imported or has_data(vm):
        remove_copied_data(session, vm)
        return show_guest(session, ref)
    return _shown(session, vm)


def _shown(session: XenSession, vm: Vm) -> Guest:
    """Return the entity of a VM."""
    record = vm.record
    objects = session.api.read_mixed(
        {
            "VBD": record.VBDs,
            "VM_guest_metrics": [record.current_guest_metrics],
            "host": [record.resident_on],
        }
    )
    drives = {ref: vbd for ref, vbd in objects.items() if isinstance(vbd, VbdRecord)}
    images = session.api.read_some(VdiRecord, "VDI", [vbd.VDI for vbd in drives.values() if vbd.holds_disk])
    tools, host = objects.get(record.current_guest_metrics), objects.get(record.resident_on)
    return guest_entity(
        record,
        _sum_of_known(_disk_bytes(drives.get(ref), images) for ref in record.VBDs),
        tools if isinstance(tools, GuestMetricsRecord) else None,
        host.name_label if isinstance(host, HostRecord) else None,
    )


def _disk_sizes(session: XenSession) -> dict[str, list[int | None]]:
    """Return the sizes of the disks of each VM, by the VM's reference.

    One read tells which drives every VM has: the lists of drives that VMs have were read earlier. Images are
    read after drives, so that one that another client makes meanwhile is not missed.
    """
    drives = session.api.read_all(VbdSummary, "VBD")
    images = session.api.read_all(VdiSummary, "VDI")
    sizes = defaultdict(list)
    for drive in drives.values():
        sizes[drive.VM].append(_disk_bytes(drive, images))
    return sizes


def _disk_bytes(drive: VbdSummary | None, images: Mapping[str, VdiSummary]) -> int | None:
    """Return the size of the disk in a drive, 0 if the drive has none that clients see.

    None is unknown: XAPI does not know the size, or the drive or its image was removed after it was listed.
    """
    if drive is None:
        return None
    if not drive.holds_disk:
        return 0
    image = images.get(drive.VDI)
    if image is None:
        return None
    return 0 if is_for_cloud_init(image) else image.known_bytes


def _sum_of_known(sizes: Iterable[int | None]) -> int | None:
    """Return the sum, or None if one of the sizes is unknown."""
    total = 0
    for size in sizes:
        if size is None:
            return None
        total += size
    return total
