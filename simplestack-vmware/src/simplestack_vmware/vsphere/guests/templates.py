"""Guests that become templates, and templates that become guests."""

from typing import ClassVar

from msgspec import field

from simplestack import Conflict
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.inventory.records import VmState
from simplestack_vmware.vsphere.reading.queries import Query, Walk
from simplestack_vmware.vsphere.reading.schemas import Record
from simplestack_vmware.vsphere.sessions.session import VmwareSession

_TO_ITS_CLUSTER = (Walk("VirtualMachine", "runtime.host", ("HostSystem",)), Walk("HostSystem", "parent"))


class _Cluster(Record, frozen=True, kw_only=True):
    """What a host is in, with its uppermost resource pool."""

    TYPE: ClassVar[str] = "ComputeResource"

    pool: Ref | None = field(name="resourcePool", default=None)


def require_templates(session: VmwareSession) -> None:
    """Check that the host has templates.

    :raises NotImplementedError: it is a lone ESXi host
    """
    if not session.api.is_vcenter:
        raise NotImplementedError("a lone ESXi host has no templates: use its vCenter")


def mark_as_template(session: VmwareSession, vm: VmState) -> None:
    """Let a stopped guest be a template."""
    session.vm(vm).MarkAsTemplate()


def mark_as_guest(session: VmwareSession, vm: VmState) -> None:
    """Let a template be a guest on its host, in the uppermost resource pool of the host's cluster.

    :raises Conflict: vCenter does not show the host's cluster
    """
    records = session.reader.read(Query([vm.ref], [_Cluster], _TO_ITS_CLUSTER))
    pools = [record.pool for record in records if isinstance(record, _Cluster) and record.pool is not None]
    if not pools:
        raise Conflict(
            f"template {vm.name!r} is on no host with a resource pool that the user may see: allow "
            "it in vSphere"
        )
    session.vm(vm).MarkAsVirtualMachine(session.api.object(pools[0]), None)
