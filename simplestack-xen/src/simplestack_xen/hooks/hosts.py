"""Hosts of the pool."""

from simplestack import Host, hookimpl
from simplestack_xen.entities import host_entity
from simplestack_xen.xapi.lookups import find_record
from simplestack_xen.xapi.records import HostRecord
from simplestack_xen.xapi.session import XenSession


@hookimpl
def host_list(session: XenSession) -> list[Host]:
    """List the hosts: one round trip."""
    return [host_entity(record) for record in session.api.read_all(HostRecord, "host").values()]


@hookimpl
def host_info(session: XenSession, host_id: str) -> Host:
    """Show one host, by its UUID."""
    return host_entity(find_record(session, HostRecord, "host", "Host", host_id))
