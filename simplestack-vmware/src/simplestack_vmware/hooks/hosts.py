"""Hosts of a vCenter, or the lone ESXi host."""

from simplestack import Host, hookimpl
from simplestack_vmware.entities import host_entity
from simplestack_vmware.vsphere.sessions.lookups import all_hosts, find_host
from simplestack_vmware.vsphere.sessions.session import VmwareSession


@hookimpl
def host_list(session: VmwareSession) -> list[Host]:
    """List the hosts: one round trip."""
    return [host_entity(host, _address(session)) for host in all_hosts(session)]


@hookimpl
def host_info(session: VmwareSession, host_id: str) -> Host:
    """Show one host, by ID or name."""
    return host_entity(find_host(session, host_id), _address(session))


def _address(session: VmwareSession) -> str | None:
    """Return the address of a lone host, whose name may be ``localhost``."""
    return None if session.api.is_vcenter else session.target.name
