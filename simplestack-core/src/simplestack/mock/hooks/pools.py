"""Hook of the pool."""

import functools
from importlib.metadata import version

from simplestack import Pool, hookimpl
from simplestack.mock.session import MockSession
from simplestack.mock.store.topology import HOST_MEMORY_MIB, seeded_id


@functools.cache
def _version() -> str:
    return version("simplestack-core")


@hookimpl
def pool_info(session: MockSession) -> Pool:
    """Show the world's pool. Running and paused guests use memory."""
    pool_id = seeded_id(session.name, "pool")
    total_mib = len(session.hosts) * HOST_MEMORY_MIB
    return Pool(
        id=pool_id,
        uuid=pool_id,
        master=session.hosts[0].address,
        used_memory=total_mib - sum(session.free_memory_mib().values()),
        total_memory=total_mib,
        software_info={"product": "Simplestack mock", "version": _version()},
    )
