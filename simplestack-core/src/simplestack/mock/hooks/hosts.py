"""Hooks of hosts."""

from simplestack import EntityNotFound, Host, hookimpl
from simplestack.mock.session import MockSession


@hookimpl
def host_list(session: MockSession) -> list[Host]:
    """List the world's hosts."""
    return list(session.hosts)


@hookimpl
def host_info(session: MockSession, host_id: str) -> Host:
    """Show one host."""
    for host in session.hosts:
        if host.id == host_id:
            return host
    raise EntityNotFound("Host", host_id)
