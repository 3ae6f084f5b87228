"""The pool: all hosts that share a master."""

from simplestack import MIB, HypervisorError, Pool, hookimpl
from simplestack_xen.xapi.records import HostMetricsRecord, HostRecord, PoolRecord
from simplestack_xen.xapi.session import XenSession


@hookimpl
def pool_info(session: XenSession) -> Pool:
    """Show the pool: three round trips.

    Memory in use is what the hosts do not call free: that of guests that run, and of the hosts themselves.
    Hosts that are not there just now do not count.
    ``software_info`` has the ``version`` and the ``brand`` of the master's product, and XAPI's and Xen's.
    """
    api = session.api
    pools = api.read_all(PoolRecord, "pool")
    if not pools:
        raise HypervisorError("XAPI has no pool, which it always has")
    pool = next(iter(pools.values()))
    hosts = api.read_all(HostRecord, "host")
    metrics = api.read_all(HostMetricsRecord, "host_metrics")
    own = [metrics[host.metrics] for host in hosts.values() if host.metrics in metrics]
    live = [found for found in own if found.live]
    total = sum(max(0, found.memory_total) for found in live)
    free = sum(max(0, found.memory_free) for found in live)
    master = hosts.get(pool.master, HostRecord())
    versions = master.software_version
    info = {
        "version": versions.get("product_version") or versions.get("platform_version") or "unknown",
        "brand": versions.get("product_brand", ""),
        "xapi": versions.get("xapi", ""),
        "xen": versions.get("xen", ""),
    }
    return Pool(
        id=pool.uuid,
        uuid=pool.uuid,
        master=master.address or session.target.name,
        used_memory=max(0, total - free) // MIB,
        total_memory=total // MIB,
        software_info={name: value for name, value in info.items() if value},
    )
