"""Change guests. All changes are one task of vSphere's: it makes all of them or none."""

from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from simplestack import (
    Guest,
    GuestState,
    GuestUpdate,
    SimplestackError,
    gib_to_bytes,
    hookimpl,
    require_state,
)
from simplestack_vmware.hooks.guests import show_guest
from simplestack_vmware.vsphere.changes.reconfiguring import reconfigure
from simplestack_vmware.vsphere.changes.undo import Undo
from simplestack_vmware.vsphere.connection.faults import Fault
from simplestack_vmware.vsphere.disks.growth import grown_sum
from simplestack_vmware.vsphere.guests.naming import read_names, require_free_name, require_only_name
from simplestack_vmware.vsphere.guests.sizes import SizedVm, cpus_change, memory_change, sized_kind
from simplestack_vmware.vsphere.guests.templates import mark_as_guest, mark_as_template, require_templates
from simplestack_vmware.vsphere.inventory.devices import PARAVIRTUAL_SCSI
from simplestack_vmware.vsphere.inventory.names import decoded, encoded
from simplestack_vmware.vsphere.sessions.lookups import find_guest, require_changeable, require_not_template
from simplestack_vmware.vsphere.sessions.session import VmwareSession


@hookimpl
def guest_update(session: VmwareSession, guest_id: str, changes: GuestUpdate) -> Guest:
    """Change a guest.

    One that runs gets memory and CPUs where its hot-add is enabled, and its disks can grow. If it cannot
    become a template or a guest, or another guest has got its new name meanwhile, its name, memory and CPUs
    are what they were; disks that have grown stay so, and the error says it.

    :raises NotImplementedError: ``paravirtualized`` differs, or a lone ESXi host has no templates
    :raises Busy: others change the guest at the same time
    """
    vm = find_guest(session, guest_id, sized_kind(session))
    require_changeable(vm, f"change guest {vm.name!r}")
    is_template = bool(vm.is_template) if changes.template is UNSET else changes.template
    if is_template != vm.is_template:
        require_templates(session)
        require_state(vm.state, GuestState.STOPPED, attempt=f"make guest {vm.name!r} a template")
    _reject_other_controllers(vm, changes)
    fields = _fields(session, vm, changes)
    devices = [] if changes.hdd is UNSET else grown_sum(session, vm, gib_to_bytes(changes.hdd))
    if is_template and vm.is_template and (fields.keys() - {"name"} or devices):
        require_not_template(vm, "change memory, CPUs or disks of")
    with Undo() as undo:
        if vm.is_template and not is_template:
            mark_as_guest(session, vm)
            undo.do("making it a template again", mark_as_template, session, vm)
            vm = find_guest(session, vm.id, type(vm))  # another version than before
        reconfigure(session, vm, devices, **fields)
        before = {"name": vm.stored_name, "memoryMB": vm.memory_mib, "numCPUs": vm.cpus}
        former = {name: before[name] for name in fields}
        undo.do("changing it back", reconfigure, session, replace(vm, change_version=None), (), **former)
        try:
            if "name" in fields:
                require_only_name(session, decoded(fields["name"]), vm.ref)
            if is_template and not vm.is_template:
                mark_as_template(session, vm)
        except (Fault, SimplestackError) as error:
            if not devices:
                raise
            grown = f"the disks stay grown to {changes.hdd:.10g} GiB, since disks cannot shrink"
            raise undo.with_remains(error, [grown]) from None
    return show_guest(session, vm.id)


def _reject_other_controllers(vm: SizedVm, changes: GuestUpdate) -> None:
    is_paravirtual = any(device.type_name == PARAVIRTUAL_SCSI for device in vm.devices)
    if changes.paravirtualized not in (UNSET, is_paravirtual):
        raise NotImplementedError(
            "`paravirtualized` cannot be changed, since the guest may lack the drivers to boot from another "
            "disk controller: create a new guest"
        )


def _fields(session: VmwareSession, vm: SizedVm, changes: GuestUpdate) -> dict[str, Any]:
    """Return the fields of the ``ConfigSpec`` that differ."""
    fields: dict[str, Any] = {}
    if changes.memory is not UNSET:
        fields |= memory_change(vm, changes.memory)
    if changes.cpus is not UNSET:
        fields |= cpus_change(vm, changes.cpus)
    if changes.name is not UNSET and changes.name != vm.name:
        require_free_name(changes.name, read_names(session), besides=vm.ref)
        fields["name"] = encoded(changes.name)
    return fields
