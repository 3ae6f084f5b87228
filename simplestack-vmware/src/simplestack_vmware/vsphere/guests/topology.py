"""What a new VM's place is chosen from: clusters, hosts, folders, datastores, networks. One read."""

from typing import ClassVar, Self, TypeVar

from msgspec import field

from simplestack import free_name
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.guests.naming import VmName
from simplestack_vmware.vsphere.inventory.records import (
    NETWORKS,
    ClusterName,
    HostRecord,
    Named,
    PortGroupRecord,
)
from simplestack_vmware.vsphere.inventory.walks import TO_DATASTORES, TO_HOSTS, TO_NETWORKS, TO_VMS
from simplestack_vmware.vsphere.media.images import IsoStore
from simplestack_vmware.vsphere.reading.queries import Query, Walk
from simplestack_vmware.vsphere.reading.schemas import Record
from simplestack_vmware.vsphere.sessions.lookups import networks_for_guests, port_group_fields
from simplestack_vmware.vsphere.sessions.session import VmwareSession

R = TypeVar("R", bound=Record)

#: vSphere's limit for names, in characters.
_MAX_NAME = 80

_TO_NETWORKS = (
    *(walk for walk in TO_NETWORKS if walk.type != "Datacenter"),
    Walk("Datacenter", "network", ("DistributedVirtualPortgroup",)),
    Walk("DistributedVirtualPortgroup", "config.distributedVirtualSwitch"),
)
_TO_POOLS = (
    Walk("ComputeResource", "resourcePool", ("ResourcePool",)),
    Walk("ResourcePool", "resourcePool", ("ResourcePool",)),
)


class Datacenter(Named, frozen=True, kw_only=True):
    """A datacenter."""

    TYPE: ClassVar[str] = "Datacenter"

    vm_folder: Ref | None = field(name="vmFolder", default=None)


class Folder(Named, frozen=True, kw_only=True):
    """A folder of any kind."""

    TYPE: ClassVar[str] = "Folder"

    parent: Ref | None = None
    contents: list[str] = field(name="childType", default_factory=list)


class Compute(ClusterName, frozen=True, kw_only=True):
    """A cluster, or what stands for one above a single host."""

    parent: Ref | None = None
    pool: Ref | None = field(name="resourcePool", default=None)


class ResourcePool(Named, frozen=True, kw_only=True):
    """A resource pool."""

    TYPE: ClassVar[str] = "ResourcePool"

    #: The cluster.
    owner: Ref | None = None


class PlaceHost(HostRecord, frozen=True, kw_only=True):
    """A host with what guests on it can use."""

    is_in_maintenance: bool = field(name="runtime.inMaintenanceMode", default=False)
    datastores: list[Ref] = field(name="datastore", default_factory=list)
    networks: list[Ref] = field(name="network", default_factory=list)

    @property
    def takes_guests(self) -> bool:
        """Whether new guests can be put on it now."""
        return self.connection_state == "connected" and not self.is_in_maintenance

    @property
    def free_memory_bytes(self) -> int:
        """Memory that nothing uses."""
        return self.memory_bytes - self.used_memory_mib * 1024**2


class Switch(Record, frozen=True, kw_only=True):
    """A distributed switch."""

    TYPE: ClassVar[str] = "DistributedVirtualSwitch"

    uuid: str = ""


class Topology:
    """What is in the inventory, as far as places of VMs depend on it."""

    def __init__(self, records: list[Record]) -> None:
        #: Guests and templates.
        self.vms = _of(VmName, records)
        self._names = {vm.name for vm in self.vms}
        self.datacenters = _of(Datacenter, records)
        self.computes = _of(Compute, records)
        self.hosts = _of(PlaceHost, records)
        self.datastores = _of(IsoStore, records)
        self.networks = networks_for_guests(records)
        #: UUIDs of distributed switches.
        self.switch_uuids = {switch.ref: switch.uuid for switch in _of(Switch, records)}
        #: Without vApps, which are resource pools with VMs of their own.
        self.pools = [pool for pool in _of(ResourcePool, records) if pool.ref.type == "ResourcePool"]
        folders = _of(Folder, records)
        #: Those for VMs.
        self.folders = [folder for folder in folders if "VirtualMachine" in folder.contents]
        above: list[Folder | Compute | PlaceHost] = [*folders, *self.computes, *self.hosts]
        self._parents = {each.ref: each.parent for each in above}

    @classmethod
    def read(cls, session: VmwareSession) -> Self:
        """Read it: one round trip, and one for each further page."""
        kinds: list[type[Record]] = [
            *(Datacenter, Folder, Compute, ResourcePool, PlaceHost, Switch, VmName),
            IsoStore,
            *NETWORKS,
        ]
        walks = dict.fromkeys((*TO_VMS, *TO_HOSTS, *TO_DATASTORES, *_TO_NETWORKS, *_TO_POOLS))
        fields: dict[type[Record], frozenset[str]] = {PortGroupRecord: port_group_fields(session)}
        return cls(session.reader.read(Query([session.root], kinds, walks, fields)))

    def free_name(self, name: str) -> str:
        """Return the name, or ``NAME (2)`` or the next free name if a VM or a template has it."""
        return free_name(name, self._names.__contains__, max_characters=_MAX_NAME)

    def take_name(self, name: str) -> None:
        """Count a name as taken, which another client has just given to a VM."""
        self._names.add(name)

    def datacenter_of(self, ref: Ref) -> Ref | None:
        """Return the datacenter that a folder, a cluster or a host is in."""
        above: Ref | None = ref
        while above is not None and above.type != "Datacenter":
            above = self._parents.get(above)
        return above


def _of(kind: type[R], records: list[Record]) -> list[R]:
    return [record for record in records if isinstance(record, kind)]
