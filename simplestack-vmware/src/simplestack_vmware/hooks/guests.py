"""List, show, clone and delete guests."""

import uuid

from simplestack import CloudInit, Guest, GuestState, hookimpl
from simplestack_vmware.entities import guest_entity
from simplestack_vmware.sdk import vim
from simplestack_vmware.vsphere.changes.undo import Undo
from simplestack_vmware.vsphere.disks.files import VmDisks
from simplestack_vmware.vsphere.guests.cloud_init import cloud_init_options
from simplestack_vmware.vsphere.guests.copying import copy_vm, find_copyable
from simplestack_vmware.vsphere.guests.hardware import Hardware
from simplestack_vmware.vsphere.guests.naming import require_free_name, require_only_name
from simplestack_vmware.vsphere.guests.placement import Wishes, choose_place
from simplestack_vmware.vsphere.guests.removal import delete_vm
from simplestack_vmware.vsphere.guests.topology import Topology
from simplestack_vmware.vsphere.inventory.names import encoded
from simplestack_vmware.vsphere.inventory.records import HostName, VmSummary
from simplestack_vmware.vsphere.inventory.walks import TO_THEIR_HOSTS, TO_VMS, TO_VMS_AND_HOSTS
from simplestack_vmware.vsphere.reading.queries import Query
from simplestack_vmware.vsphere.reading.schemas import Record
from simplestack_vmware.vsphere.sessions.lookups import find_guest, find_guest_with, require_guest_state
from simplestack_vmware.vsphere.sessions.session import VmwareSession

#: The fields of records that tell what is a guest, and its ID, name and state.
_ALWAYS = frozenset({"stored_name", "instance_uuid", "is_template", "power_state"})
#: The fields of records that show a field of a guest, by the guest's.
_SHOWN_BY = {
    "cpus": "cpus",
    "memory": "memory_mib",
    "hdd": "devices",
    "paravirtualized": "devices",
    "tools_up_to_date": "tools_status",
    "ip": "ip",
    "host": "host",
}


@hookimpl
def guest_list(session: VmwareSession, fields: frozenset[str]) -> list[Guest]:
    """List all guests, also those in vApps: one round trip, and one for each further 1,000 guests.

    Devices take vSphere most of the time: they are read for ``hdd`` and ``paravirtualized`` alone.
    """
    own = _ALWAYS | {name for field, name in _SHOWN_BY.items() if field in fields}
    kinds: list[type[Record]] = [VmSummary]
    if "host" in fields:
        kinds.append(HostName)
    walks = TO_VMS_AND_HOSTS if "host" in fields else TO_VMS
    records = session.reader.read(Query([session.root], kinds, walks, {VmSummary: own}))
    hosts = _host_names(records)
    return [
        _shown(record, hosts)
        for record in records
        if isinstance(record, VmSummary) and not record.is_template
    ]


@hookimpl
def guest_info(session: VmwareSession, guest_id: str) -> Guest:
    """Show one guest: one round trip, two if it was not looked up before."""
    return show_guest(session, guest_id)


@hookimpl
def guest_clone(session: VmwareSession, guest_id: str, name: str, cloud_init: CloudInit | None) -> Guest:
    """Clone a guest, also one that runs: its disks are copied as after a power failure.

    A lone ESXi host does not clone. There, a guest with the same hardware and copies of the disks is created,
    and the original must be stopped.
    """
    origin = find_copyable(session, guest_id)
    copy_id = str(uuid.uuid4())
    options = cloud_init_options(copy_id, cloud_init, [option.key for option in origin.options])
    config = vim.vm.ConfigSpec(name=encoded(name), instanceUuid=copy_id, extraConfig=options)
    topology = Topology.read(session)
    require_free_name(name, topology.vms)
    place = choose_place(topology, Wishes(), origin.place(keeps_networks=True, keeps_folder=True))
    with Undo() as undo:
        vm = copy_vm(session, undo, origin, place, config=config, hardware=Hardware())
        require_only_name(session, name, vm)
        return show_guest(session, copy_id)


@hookimpl
def guest_delete(session: VmwareSession, guest_id: str) -> None:
    """Delete a guest with its own disks and snapshots. Disks that another VM also uses stay."""
    vm = find_guest(session, guest_id, VmDisks)
    require_guest_state(vm, "delete", GuestState.STOPPED)
    delete_vm(session, vm)


def show_guest(session: VmwareSession, guest_id: str) -> Guest:
    """Show a guest as `guest_info`."""
    vm, others = find_guest_with(session, guest_id, VmSummary, [TO_THEIR_HOSTS], [HostName])
    return _shown(vm, _host_names(others))


def _shown(vm: VmSummary, hosts: dict[str, str]) -> Guest:
    return guest_entity(vm, None if vm.host is None else hosts.get(vm.host.value))


def _host_names(records: list[Record]) -> dict[str, str]:
    return {record.ref.value: record.name for record in records if isinstance(record, HostName)}
