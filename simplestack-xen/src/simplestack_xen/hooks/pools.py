"""Show the pool."""

from simplestack import HypervisorError, Pool, hookimpl
from simplestack_xen.entities import pool_entity
from simplestack_xen.xapi.records import HostMetricsRecord, HostRecord, PoolRecord
from simplestack_xen.xapi.session import XenSession


@hookimpl
def pool_info(session: XenSession) -> Pool:
    """Show the pool: three round trips.

    ``software_info`` has the ``version`` and the ``brand`` of the master's product, and XAPI's and Xen's.
    """
    api = session.api
    pools = api.read_all(PoolRecord, "pool")
    if not pools:
        raise HypervisorError("XAPI returned no pool")
    pool = next(iter(pools.values()))
    hosts = api.read_all(HostRecord, "host")
    metrics = api.read_all(HostMetricsRecord, "host_metrics")
    return pool_entity(pool, hosts, metrics, session.target.name)
