"""Hook of the pool."""

from typing import Any

from simplestack.entities.pool import Pool
from simplestack.markers import hookspec


@hookspec(firstresult=True)
def pool_info(session: Any) -> Pool:
    """Show the pool, cluster or single host that the session reaches.

    Memory is in MiB, over all hosts: ``used_memory`` is what hosts and guests occupy now.

    :returns: the pool; ``master`` is the address of its master, or of the host itself
    """
