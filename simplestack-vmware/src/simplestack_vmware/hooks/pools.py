"""Show the pool: a vCenter, one of its clusters, or a lone ESXi host."""

from simplestack import Pool, hookimpl
from simplestack_vmware.entities import pool_entity
from simplestack_vmware.vsphere.sessions.lookups import hosts_and_cluster
from simplestack_vmware.vsphere.sessions.session import VmwareSession


@hookimpl
def pool_info(session: VmwareSession) -> Pool:
    """Show the cluster that the settings name, else all hosts: one round trip.

    ``software_info`` has the ``version``, ``build`` and ``product`` of the vCenter or the host.
    """
    hosts, cluster = hosts_and_cluster(session)
    return pool_entity(session.api.content.about, hosts, cluster, session.target.name)
