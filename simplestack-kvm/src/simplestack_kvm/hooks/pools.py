"""The pool. libvirt has no pools of hosts, so it is the host."""

from typing import Any

from simplestack import Pool, hookimpl
from simplestack_kvm.libvirtd.connection.hosts import host_id_of
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.sdk import libvirt

_KIB_IN_MIB = 1024


@hookimpl
def pool_info(session: KvmSession) -> Pool:
    """Show the host as a pool.

    Used memory includes guests and host, without the buffers and caches that Linux can free.
    ``software_info`` has the ``version`` of the hypervisor, its name, and libvirt's version.
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
    """Return a version as text. In libvirt, 1,000,000 is a major and 1,000 a minor version."""
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"
