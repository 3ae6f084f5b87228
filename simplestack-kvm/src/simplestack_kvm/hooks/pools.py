"""The pool: libvirt has none, so it is the host by itself."""

from typing import Any

from simplestack import Pool, hookimpl
from simplestack_kvm.libvirtd.hosts import host_id_of
from simplestack_kvm.libvirtd.session import KvmSession
from simplestack_kvm.sdk import libvirt

_KIB_IN_MIB = 1024


@hookimpl
def pool_info(session: KvmSession) -> Pool:
    """Show the host as a pool.

    Used memory is that of guests and host alike, without the buffers and caches that Linux gives back when
    they are needed. ``software_info`` has the ``version`` of the hypervisor, its name, and libvirt's version.
    """
    connection = session.connection
    # The binding's own annotation says str.
    memory: Any = connection.getMemoryStats(libvirt.VIR_NODE_MEMORY_STATS_ALL_CELLS)
    reclaimable = sum(memory.get(part, 0) for part in ("free", "buffers", "cached"))
    host_id = host_id_of(session)
    return Pool(
        id=host_id,
        uuid=host_id,
        master=session.target.name,
        used_memory=(memory["total"] - reclaimable) // _KIB_IN_MIB,
        total_memory=memory["total"] // _KIB_IN_MIB,
        software_info={
            "version": _version(connection.getVersion()),
            "hypervisor": connection.getType(),
            "libvirt": _version(connection.getLibVersion()),
        },
    )


def _version(number: int) -> str:
    """Write a version as people do: libvirt counts 1,000,000 for major, 1,000 for minor."""
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"
