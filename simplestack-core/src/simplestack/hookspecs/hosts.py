"""Show the hosts of a pool."""

from typing import Any

from simplestack.entities.pool import Host
from simplestack.markers import hookspec


@hookspec(firstresult=True)
def host_list(session: Any) -> list[Host]:
    """List the hosts of the pool."""


@hookspec(firstresult=True)
def host_info(session: Any, host_id: str) -> Host:
    """Show one host.

    :raises EntityNotFound: ``Host``
    """
