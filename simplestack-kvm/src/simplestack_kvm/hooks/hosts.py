"""Show the host of the session."""

from simplestack import EntityNotFound, Host, hookimpl
from simplestack_kvm.libvirtd.connection.hosts import host_id_of
from simplestack_kvm.libvirtd.connection.session import KvmSession


@hookimpl
def host_list(session: KvmSession) -> list[Host]:
    """List the only host."""
    return [_host(session)]


@hookimpl
def host_info(session: KvmSession, host_id: str) -> Host:
    """Show the host. Its ID is the host UUID of libvirt."""
    host = _host(session)
    if host_id.lower() != host.id:
        raise EntityNotFound("Host", host_id)
    return host


def _host(session: KvmSession) -> Host:
    return Host(id=host_id_of(session), name=session.connection.getHostname(), address=session.target.name)
