"""List, show and delete guests."""

from simplestack import Guest, GuestState, hookimpl
from simplestack_vmware.entities import guest_entity
from simplestack_vmware.vsphere.disks.files import VmDisks
from simplestack_vmware.vsphere.guests.removal import delete_vm
from simplestack_vmware.vsphere.inventory.records import HostName, VmSummary
from simplestack_vmware.vsphere.inventory.walks import TO_THEIR_HOSTS, TO_VMS
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
    walks = list(TO_VMS)
    if "host" in fields:
        kinds.append(HostName)
        walks.append(TO_THEIR_HOSTS)
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
