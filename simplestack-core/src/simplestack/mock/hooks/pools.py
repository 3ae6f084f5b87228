"""Hook of the pool."""

import functools
from importlib.metadata import version

from simplestack import Pool, hookimpl
from simplestack.mock.session import MockSession
from simplestack.mock.store.landscape import HOST_MEMORY_MIB, HOST_OVERHEAD_MIB


@functools.cache
def _version() -> str:
    return version("simplestack-core")


@hookimpl
def pool_info(session: MockSession) -> Pool:
    """Show the world's pool; guests occupy memory while they run or are paused."""
    landscape = session.landscape
    hosts = len(landscape.hosts)
    return Pool(
        id=landscape.pool_id,
        uuid=landscape.pool_id,
        master=landscape.hosts[0].address,
        used_memory=hosts * HOST_OVERHEAD_MIB + session.guest_memory_mib(),
        total_memory=hosts * HOST_MEMORY_MIB,
        software_info={"product": "Simplestack mock", "version": _version()},
    )
