"""Show the pool, the cluster or the single host."""

from typing import Any

from simplestack.entities.pool import Pool
from simplestack.markers import hookspec


@hookspec(firstresult=True)
def pool_info(session: Any) -> Pool:
    """Show the pool, the cluster or the single host at this address.

    Memory is the sum of all hosts, in MiB. ``used_memory`` is what hosts and guests use now.

    :returns: the pool; ``master`` is the address of its master, or of the host itself
    """
